"""Which of many known models a suspect may be made of. Proposes only: `compare` judges what is proposed."""
