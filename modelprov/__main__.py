"""`python -m modelprov`: the `modelprov` command, where no script of that name is on the path."""

from modelprov.cli.main import main

if __name__ == "__main__":
    main()
