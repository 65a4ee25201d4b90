//! The command `orest`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match orest::cli::run() {
        Ok(code) => code,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "a command says on standard error why it failed")]
            {
                eprintln!("orest: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
