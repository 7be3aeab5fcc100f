"""`sops completion`: completes the words behind an alias `sops` in a shell."""

from __future__ import annotations

import click

_BASH = """\
_sops_python() {
    local kind word
    COMPREPLY=()
    while IFS=, read -r kind word; do
        [ "$kind" = plain ] && COMPREPLY+=("$word")
    done < <(
        COMP_WORDS="PROGRAM ${COMP_WORDS[*]:1}" COMP_CWORD=$((COMP_CWORD + MORE)) \\
            VARIABLE=bash_complete FIRST
    )
}
complete -o bashdefault -o default -F _sops_python sops
"""

_ZSH = """\
#compdef sops
_sops_python() {
    local -a found
    local kind word about
    for kind word about in "${(@f)$(
        COMP_WORDS="PROGRAM ${words[2,-1]}" COMP_CWORD=$((CURRENT - 1 + MORE)) \\
            VARIABLE=zsh_complete FIRST
    )}"; do
        [[ "$kind" == plain ]] && found+=("$word")
    done
    if (( $#found )); then compadd -a found; else _files; fi
}
compdef _sops_python sops
"""


@click.group(no_args_is_help=False, invoke_without_command=True)
@click.pass_context
def completion(context: click.Context) -> int:
    """Print a shell's completion script: `source <(sops completion bash)`."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
    return 0


@completion.command()
@click.pass_context
def bash(context: click.Context) -> int:
    """Print the script for bash."""
    click.echo(_fill(_BASH, context), nl=False)
    return 0


@completion.command()
@click.pass_context
def zsh(context: click.Context) -> int:
    """Print the script for zsh."""
    click.echo(_fill(_ZSH, context), nl=False)
    return 0


def _fill(script: str, context: click.Context) -> str:
    """Return *script* for the program that runs, whose `sops` may be a command of its own."""
    outer = context.find_root()
    first = str(outer.info_name)
    program = first if outer.command.name == "sops" else f"{first} sops"
    variable = f"_{first.replace('-', '_').upper()}_COMPLETE"
    values = {"PROGRAM": program, "FIRST": first, "VARIABLE": variable}
    for name, value in {**values, "MORE": str(program.count(" "))}.items():
        script = script.replace(name, value)
    return script
