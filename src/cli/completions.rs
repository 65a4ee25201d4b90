//! `orest completions`: what a shell needs to complete the commands and options.

use clap::Args;
use clap_complete::Shell;

use super::command;

/// Print a shell's completions for the commands and options.
#[derive(Args)]
#[command(after_help = "\
bash  orest completions bash > ~/.local/share/bash-completion/completions/orest
zsh   orest completions zsh > ~/.zfunc/_orest     (with fpath+=~/.zfunc before compinit, in ~/.zshrc)
fish  orest completions fish > ~/.config/fish/completions/orest.fish")]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self) {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command(), "orest", &mut script);
        super::say(String::from_utf8_lossy(&script).trim_end());
    }
}
