"""``python -m pelnas``: the command line."""

from pelnas.app.main import main

if __name__ == "__main__":
    main()
