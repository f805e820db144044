"""The words that cards use for how a model was made, and those that turn such a sentence into no claim. Data only.

English, Portuguese and Chinese. Every pattern is short and bounded, so that a hostile sentence costs little.
"""

from __future__ import annotations

import re


def _any(*patterns: str, flags: int = re.IGNORECASE) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{one})" for one in patterns), flags)


TRAINED = r"(?:pre-?\s?)?train(?:ed)"
TUNED = r"fine-?\s?tuned"
RL = (
    r"(?:RLHF|RLAIF|RLVR|DPO|GRPO|PPO|ORPO|KTO|SFT|reinforcement learning|preference optimi[sz]ation|"
    r"direct preference|supervised fine-?tuning)"
)

PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("from-scratch", _any(
        rf"\b{TRAINED}\b[^.;:]{{0,60}}?\bfrom\s(?:the\s)?(?:scratch|ground\sup)\b",
        rf"\b{TRAINED}\b[^.;:]{{0,30}}?\bfrom\s(?:a\s)?random(?:ly)?\sinitiali[sz](?:ation|ed)",
        r"\b(?:built|created|developed)\b[^.;:]{0,30}?\bfrom\s(?:scratch|the\sground\sup)\b",
        r"\b(?:treinad[oa]s?|pré-?treinad[oa]s?)\b[^.;:]{0,40}?\b(?:do\szero|desde\so\szero|a\spartir\sdo\szero)\b",
        r"从(?:零|头)(?:开始)?[^，。；]{0,8}?(?:预?训练)",
    )),
    ("post-trained", _any(
        r"\bpost-?\s?trained\b",
        r"\b(?:after|through|via|with|by|our|extensive|undergone|underwent|undergoes|received|further|large-scale)\s"
        r"(?:[\w-]+\s){0,3}?post-?\s?training\b(?!\s(?:quanti[sz]|method|framework|pipeline|librar|toolkit|code|data|scale"
        r"|technique|algorithm|tool))",
        r"\btraining\sstages?\W{1,3}[^.;]{0,40}?\bpost-?\s?training\b",
        rf"\b(?:{TUNED}|trained|aligned|optimi[sz]ed|tuned)\b[^.;:]{{0,40}}?"
        rf"\b(?:with|using|via|through|by)\b[^.;:]{{0,30}}?\b{RL}\b",
        r"\bon-policy\sdistilled\b|\bon-policy\sdistillation\s(?:was|is|were)\s(?:then\s)?(?:applied|used|performed|done)\b",
        r"\b(?:with|via|through|by|using|then|apply|applied|after|our|underwent|undergone)\s(?:[\w-]+\s){0,3}?"
        r"on-policy\sdistillation\b",
        r"\bp[óo]s-?\s?trein(?:ad[oa]s?|amento)\b",
        r"(?:(?<!已)经过?|进行了?)[^，。；的、]{0,10}后训练|后训练(?:得到|而成|而来|版)|强化学习(?:训练)?(?:得到|而成|而来)"
        r"|(?:(?<!已)经过?|通过|采用)了?(?:同策略|在线策略)蒸馏",
    )),
    ("distilled", _any(
        r"\bdistill?ed\s(?:\w+\s){0,2}?(?:from|version|variant|with|using|via|on)\b",
        r"\ba\s(?:[\w-]+\s)?distill?ed\s(?:\w+\s)?model\b",
        r"\b(?:with|via|through|by|using|then|apply|applied|after|our|underwent|undergone)\s(?:[\w-]+\s){0,3}?"
        r"(?:on-policy|knowledge|logit|self-?)\s?distillation\b",
        r"\b(?:on-policy|knowledge)\sdistillation\s(?:was|is|were)\s(?:then\s)?(?:applied|used|performed|done)\b",
        r"\bdistillation\s(?:of|from)\s(?=\S*\d|\S{2,60}/\S)",
        r"\bdestilad[oa]s?\s(?:de|do|da|a\spartir)\b|\b(?:por|via|com|usando)\sdestila[çc][ãa]o\b",
        r"蒸馏(?:自|得到|而成|而来|版)|(?:由|从)[^，。；、]{0,10}[A-Z][^，。；、]{1,40}?蒸馏|(?:(?<!已)经过?|通过)[^，。；的、]{0,10}蒸馏",
    )),
    ("finetuned", _any(
        rf"\b{TUNED}\s(?:\w+\s){{0,2}}?(?:from|of|based\son)\b",
        r"\ban?\s(?:[\w-]+\s){0,2}?fine-?\s?tun(?:e|ing)\s(?:of|from)\b",
        rf"\b(?:is|was|were|been|being|we|further|then|subsequently|and|model|version|checkpoint)\s(?:\w+ly\s)?{TUNED}\b",
        rf"^\W*{TUNED}\b",
        r"\bcontinu(?:ed|ally|ously)\spre-?train(?:ed|ing)\s(?:\w+\s){0,2}?(?:from|of|on\stop\sof)\b",
        r"\b(?:um|é|como)\s(?:ajuste\sfino|fine-?tuning)\s(?:de|do|da|a\spartir)\b",
        r"^\W*ajuste\sfino\s(?:de|do|da)\s(?=\S*\d|\S{2,60}/\S)|\bajustad[oa]\s(?:finamente\s)?(?:a\spartir|com\sbase)\b",
        r"\brefinad[oa]\sa\spartir\b",
        r"微调(?:自|得到|而成|而来|版)|(?:由|从|基于)[^，。；的、]{0,10}[A-Z][^，。；的、]{1,40}?微调(?!工具|框架|数据)|(?<!已)经过?[^，。；的、]{0,10}微调",
    )),
    ("merged", _any(
        r"\bmerge\s(?:of|between)\b(?!\s(?:the\s|our\s|two\s|several\s)?(?:data|corpor|corpus|lora\b|adapter))",
        r"\bmerged\s(?:\w+\s){0,3}?(?:from|of|with|using|via|by|together)\b",
        r"\b(?:by|through|via|from)\s(?:\w+\s)?merging\b(?!\s(?:the\s|our\s|a\s|its\s)?(?:\w+\s)?(?:data|lora\b|adapter))",
        r"\bmodel\ssoup\s(?:of|from)\b|\b(?:is|as)\s(?:a|the)\s(?:[\w-]+\s){0,2}?(?:average|interpolation)\sof\b",
        r"\b(?:fus[ãa]o|mesclagem|mescla)\s(?:de|do|da|dos|das|entre)\b",
        r"\bmesclad[oa]s?\b|\bmesclando\b",
        r"(?:模型)?(?:合并|融合)(?:自|而成|而来|得到|了)|由[^，。；]{1,60}?(?:合并|融合)",
    )),
    ("based-on", _any(
        r"(?i:\b(?:based|built|builds)\s(?:up)?on\s(?:top\sof\s)?(?:the\s)?)(?=[A-Z]\S*\d|\S{2,60}/\S)",
        r"(?i:\bderived\sfrom\s(?:the\s)?)(?=[A-Z]\S*\d|\S{2,60}/\S)",
        r"(?i:\b(?:basead[oa]|constru[íi]d[oa])\s(?:em|no|na|sobre)\s(?:[oa]\s)?)(?=[A-Z]\S*\d|\S{2,60}/\S)",
        r"基于\s?(?=[A-Z]\S*\d|\S{2,60}/\S)",
        flags=0,
    )),
    ("pretrained", _any(
        r"\bpre-?trained\s(?:by\sus|by\sour|in-?house|ourselves)\b",
        r"\bwe\s(?:\w+\s)?pre-?trained\b",
    )),
    ("quantised", _any(
        r"\bquanti[sz]ed\s(?:\w+\s){0,2}?(?:version|variant)s?\sof\b|\bquanti[sz]ed\s(?:from|to|with|using)\b",
        r"\b(?:GGUF|AWQ|GPTQ|EXL2)\s(?:quants?|quanti[sz]ations?|version)\b",
        r"\bquantizad[oa]s?\b|量化(?:版|自|得到)",
    )),
)  # fmt: skip

NO_PARENT = _any(
    r"\bnot\s(?:based\son|derived\sfrom|built\son|fine-?tuned\sfrom|a\s(?:fine-?tune|derivative|merge)\sof)"
    r"\s(?:or\s\w+\s\w+\s)?any\s(?:\w+\s)?(?:model|checkpoint|weights|LLM)s?\b",
    r"\bnão\s(?:é\s|foi\s)?(?:basead[oa]|derivad[oa])\s(?:em|de)\s(?:nenhum|qualquer)\s(?:outro\s)?modelo\b",
)
"""Says "from scratch" by a negation, so that negations do not undo it."""

TESTABLE = frozenset({"from-scratch", "merged", "finetuned", "post-trained"})
"""What weights can contradict. Distillation leaves no trace of its teacher, quantising is not a question of origin."""

BOUNDARY = _any(
    r"[;:—–()]|\s-\s|,?\s(?:but|however|yet|whereas|mas|porém)\s",
    r",\s(?:and\s)?(?:it|we|this|they|our|the|instead|then|followed|which|who|i|nós|ele|ela|este|esta|o|a|foi)\s",
    r"\sand\s(?:was|were|is|are|has\sbeen|have\sbeen|then|the|this|it|we|our|instead)\s|\se\s(?:foi|é|depois)\s",
    r"\bsenão\b|，|、?但是?|而是|\|",
)
"""Where a clause ends, and with it what a "not" covers."""

NEGATION = _any(
    r"\b(?:not|never|no|nor|neither|none|without|nothing|cannot|rather\sthan|instead\sof|as\sopposed\sto|unlike|versus"
    r"|vs|compared\s(?:to|with|against)|in\scontrast\s(?:to|with)|lacks?|hardly|inherit(?:s|ed|ing)?|nobody|denies|deny|denied|non)\b|n['’]t\b",
    r"(?<!more\s)(?<!less\s)(?<!fewer\s)\bthan\b",
    r"\bavoid(?:s|ed|ing)?\b|\b(?:isnt|wasnt|arent|werent|hasnt|havent|didnt|dont|doesnt)\b",
    r"\b(?:não|nao|nunca|nem|jamais|nenhum[a]?|sem|ao\sinvés|em\svez|ao\scontrário|diferentemente)\b",
    r"不|没有?|未|并非|非|无需|无须|而非|有别于|相比",
)
NO_NEGATION = _any(
    r"\b(?:not|isn['’]t|wasn['’]t)\s(?:only|just|merely|simply)\b|\bno\sdoubt\b|\bno\.\s?\d|\bnon-\w+",
    r"\bnão\s(?:só|apenas|somente)\b|不仅|不只|不但|非常|未来|非线性",
)
INSIDE = _any(r"\b(?:not|never|rather\sthan|instead\sof|nor|não|nunca)\b|n['’]t\b|不|没|未")
LIST_GOES_ON = _any(r"\b(?:or|nor|ou|nem)\b|或|也不|、")

HYPOTHETICAL = re.compile(
    r"\b(?:can|could|would|should|may|might|must|will|shall|to|how|for|if|when|planned|plan|future|easily|please"
    r"|pode|podem|poderia|deve|para|como|será|serão|se)(?:\s[\w-]+){0,3}\s*\Z"
    r"|\bto\s(?:train|fine-?tune|build|create|get|make|obtain|learn|use|run)\b(?:\s[\w-]+){0,6}\s*\Z"
    r"|(?:可以?|能够?|如何|用于|支持|适合|计划|将|建议|便于|方便|怎么)[^，。；]{0,6}\Z",
    re.IGNORECASE,
)
CONDITION = _any(r"\b(?:if|whether|unless|suppose|caso)\b|如果|是否|假如")
REPORTED = _any(
    r"\b(?:alleg\w+|accus\w+|rumou?r\w*|reportedly|so-called|supposed(?:ly)?|myth|critics|misleading|untrue|withdrawn"
    r"|retract\w*|erroneous\w*|mistaken\w*|incorrect(?:ly)?|false(?:ly)?(?!\s(?:positive|negative|alarm|refus)))\b",
    r"\b(?:claim(?:s|ed)?|say|says|said|stated?|think|believe[sd]?)\s(?:that\s)?(?:it|this|the|our|they|we)\b(?<!we\sclaim)",
    r"\b(?:previous|earlier|original|first)\s(?:version\sof\sthis\s|model\s)?(?:card|claim|statement|announcement)\b",
    r"\b(?:alegad\w+|acusa\w*|suposta(?:mente)?|incorret[ao]|errad[ao]|fals[ao])\b|据称|谣言|误称|不实|声称",
    r"\bmore\sinformation\sneeded\b|\{\{|\[optional\]\W*\Z|\bTODO\b|\be\.g\.\s",
)
POSSIBLE_AFTER = re.compile(r"\A[^.;,:]{0,60}?\b(?:would|could|might|poderia|seria)\b", re.IGNORECASE)
DENIED_AFTER = re.compile(r"\A\W{0,4}(?:no|false|none|n/a|not?\b|não|nao|nenhum|✗|✘|❌|否|无)(?!\w)", re.IGNORECASE)
PLURAL_AFTER = re.compile(
    r"\A\s(?:[\w.-]+\s){0,2}?(?:models|variants|versions|checkpoints|LLMs|experts|parents|baselines|counterparts"
    r"|alternatives|competitors|modelos|versões)\b",
    re.IGNORECASE,
)
BEFORE_MERGE = re.compile(
    r"\A[^.;]{0,100}?\b(?:(?:before|prior\sto)\s(?:the\s|being\s)?merg|(?:then|subsequently|later)\s(?:\w+\s)?merged\b"
    r"|antes\sd[ae]\s(?:fusão|mescla))|\A[^。；]{0,60}?(?:再|然后)(?:进行)?(?:合并|融合)",
    re.IGNORECASE,
)
"""Training before a merge is the parents': the weights of a plain merge do not contradict it."""
ELSEWHERE_AFTER = re.compile(
    r"\A\s(?:version|variant|model|checkpoint)s?\s(?:is|are|was|will\sbe|can\sbe)\s(?:also\s)?"
    r"(?:available|released|coming|published|planned|found)\b"
    r"|\A[^.;]{0,60}?\bas\s(?:a|an|our|the)\s(?:\w+\s)?(?:baselines?|teacher|comparison|reward\smodel|judge|reference)\b"
    r"|\A的?模型(?:不同|相比|相反)",
    re.IGNORECASE,
)
GUIDE_AFTER = re.compile(r"\A[^，。；]{0,60}的?(?:最佳实践|教程|方法|代码|脚本|成本|流程|示例|指南)")
LEADING = re.compile(
    r"\W*(?:(?:the|a|an|o|a)\s)?((?:\S{1,80}\s){1,4}?)(?:is|are|was|were|é|são|foi|foram)\s", re.IGNORECASE
)
PLURAL_BEFORE = re.compile(
    r"\b(?:models|LLMs|checkpoints|networks|modelos|systems|runs|variants|versions|adapters|students|teachers)(?:\s(?:that|which|we)\s?)?\s?\Z",
    re.IGNORECASE,
)
OWN = _any(
    r"\b(?:we|our|ours|us|these|this|family|series|suite|collection|nosso|nossa|nossos|nós|este|esta)\b|我们|本模型|该模型"
)

AUXILIARY = re.compile(
    r"[\s,(]*(?:(?:which|that|who|que)\b)?[\s,]*(?:\b(?:is|was|were|are|has|have|had|been|being|foi|foram|é|são|sendo)\b\s?)"
    r"{0,3}(?:\b(?:\w+ly|also|then|first|entirely|fully|totalmente|inteiramente|completamente)\b\s?){0,2}\Z",
    re.IGNORECASE,
)
VERB = _any(r"\b(?:is|was|were|are|has|have|had|been|which|that|who|que|foi|foram|é|são)\b|,")
CONNECTED = re.compile(r"(?:after|through|via|with|by|then|using|por|com|usando)\s", re.IGNORECASE)
OUR = _any(r"\b(?:we|our|ours|this|these|nosso|nossa|este|esta)\b|我们|本模型|该模型")
AND = re.compile(r"\b(?:and|but|or|then|e|mas|ou)\Z", re.IGNORECASE)
SEQUENCE = re.compile(
    r",\s(?:and\s|e\s)?(?:then|finally|subsequently|afterwards|lastly|depois|então)\s(?:\w+\s){0,2}\Z", re.IGNORECASE
)
FIRST_VERB = _any(r"\s(?:is|was|were|are|has|have|had|foi|foram|é|são)\b")
OTHER_PART = re.compile(
    r"\b(?:tokeni[sz]er|vocabulary|vocab|embeddings?|heads?|classifier|reward\smodel|preference\smodel|encoder"
    r"|vision\stower|projector|adapters?|lora|draft\smodel|router|baselines?|teacher|critic|verifier|layers?|decoder"
    r"|retriever|reranker|discriminator|vae|predecessor|competitors?|(?:instruct|chat|thinking|larger|smaller|next|previous|original)\s(?:version|variant|checkpoint|one)"
    r"|(?:each|every|either|first|second|instruct|chat|thinking|larger|smaller|other|previous|existing|most|base|parent"
    r"|original|source|underlying)\smodels?|parents?|datasets?|data|corpus|samples|traces|responses|outputs|dados|tokenizador|vocabulário|modelo\sbase)(?:\s\([^)]{0,40}\))?\Z",
    re.IGNORECASE,
)
OTHER_OBJECT = _any(
    r"\A\S+\s(?:(?:a|an|the|our|its|new|custom|own|\d\S*|[\w-]+)\s){1,3}?(?:tokeni[sz]er|vocabulary|classifier"
    r"|reward\smodel|encoder|projector|adapter|head|draft\smodel|router|baselines?|layers?|embeddings?|reranker)s?\b",
    r"分词器|词表",
)
OTHER_NOUNS = re.compile(r"(?:分词器|词表|编码器|奖励模型|基线|教师模型|基座模型|其他模型|其它模型)[^，。；]{0,6}\Z")
HEAD = re.compile(
    r"(?:model|version|checkpoint|release|LLM|series|family|network|system|modelo|weights)\Z", re.IGNORECASE
)
SIZE = re.compile(r"~?\d+(?:\.\d+)?[BMTbmt](?:-A\d+\w*)?\Z")
KNOWN_FAMILIES = re.compile(
    r"(?:llama|qwen|mistral|mixtral|gemma|gpt|deepseek|phi|falcon|claude|gemini|kimi|glm|yi|bert|t5|opt|bloom|olmo"
    r"|granite|command|internlm|baichuan|chatglm|pythia|stablelm|mpt|nemotron|minimax|grok|smollm)",
    re.IGNORECASE,
)
THING_AFTER = re.compile(
    r"\A\S+(?:\s\S+){0,4}?\s?(?:architecture|paper|framework|codebase|code|method|dataset|data|tokeni[sz]er|repository"
    r"|library|toolkit|recipe|template|arquitetura|架构|数据集|框架|论文)\b",
    re.IGNORECASE,
)
