"""`sops completion`: lets a shell complete the words behind an alias `sops`."""

from __future__ import annotations

import click

_BASH = """\
_provisioning_sops() {
    local kind word
    COMPREPLY=()
    while IFS=, read -r kind word; do
        [ "$kind" = plain ] && COMPREPLY+=("$word")
    done < <(
        COMP_WORDS="provisioning sops ${COMP_WORDS[*]:1}" COMP_CWORD=$((COMP_CWORD + 1)) \\
            _PROVISIONING_COMPLETE=bash_complete provisioning
    )
}
complete -o bashdefault -o default -F _provisioning_sops sops
"""

_ZSH = """\
#compdef sops
_provisioning_sops() {
    local -a found
    local kind word about
    for kind word about in "${(@f)$(
        COMP_WORDS="provisioning sops ${words[2,-1]}" COMP_CWORD=$CURRENT \\
            _PROVISIONING_COMPLETE=zsh_complete provisioning
    )}"; do
        [[ "$kind" == plain ]] && found+=("$word")
    done
    if (( $#found )); then compadd -a found; else _files; fi
}
compdef _provisioning_sops sops
"""


@click.group(no_args_is_help=False, invoke_without_command=True)
@click.pass_context
def completion(context: click.Context) -> int:
    """Print a shell's completion script: `source <(sops completion bash)`."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
    return 0


@completion.command()
def bash() -> int:
    """Print the script for bash."""
    click.echo(_BASH, nl=False)
    return 0


@completion.command()
def zsh() -> int:
    """Print the script for zsh."""
    click.echo(_ZSH, nl=False)
    return 0
