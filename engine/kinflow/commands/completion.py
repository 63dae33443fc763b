"""completion: what a shell needs to complete commands, options and files."""

import contextlib
import io
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import tyro

from ..errors import KinflowError
from .common import Common

Shell = Literal["bash", "zsh", "fish"]
# tyro completes no files where an argument has no name, glues words, and cuts names at spaces
_CHANGES: dict[str, dict[str, str]] = {
    "bash": {
        '== "__TYRO_COMPLETE_FILES__" ]]': '== "__TYRO_COMPLETE_FILES__" || -z "$completions" ]]',
        'COMPREPLY=($(compgen -f -- "$cur"))': (
            "local IFS=$'\\n'; compopt -o filenames 2> /dev/null\n"
            '    COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))'
        ),
    },
    "zsh": {
        '== "__TYRO_COMPLETE_FILES__" ]]': '== "__TYRO_COMPLETE_FILES__" || -z "$completions" ]]',
    },
    "fish": {
        # fish asks without the word that is being typed, and is answered with every option
        '            printf "%s\\n" $line\n        end\n': (
            '            printf "%s\\n" $line\n        end\n'
            "        if test (count $words) -ge 2\n"
            '            and not string match -q -- "-*" (commandline -ct)\n'
            "            __fish_complete_path (commandline -ct)\n"
            "        end\n"
        ),
    },
}


@dataclass(frozen=True, kw_only=True)
class Completion(Common):
    """Print what makes the Tab key complete commands, options and files.

    bash: kinflow completion bash >> ~/.bashrc

    zsh: kinflow completion zsh > DIR/_kinflow, for a DIR of your $fpath

    fish: kinflow completion fish > ~/.config/fish/completions/kinflow.fish
    """

    shell: Annotated[Shell, tyro.conf.Positional]
    """The shell."""


def script(shell: Shell, program: str, options: Any) -> str:
    """The shell's script for a program whose options tyro parses. Raises KinflowError."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        tyro.cli(options, args=["--tyro-print-completion", shell], prog=program)
    text = output.getvalue()
    for old, new in _CHANGES[shell].items():
        if old not in text:
            raise KinflowError("This version of tyro writes other scripts.", "Install tyro 1.0.")
        text = text.replace(old, new)
    return text
