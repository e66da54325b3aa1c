"""Where the recorder's process begins: memory is settled before anything large is imported."""

from wentlive_recorder.memory import settle


def main() -> None:
    settle()
    from wentlive_recorder.process import run

    run()


if __name__ == "__main__":
    main()
