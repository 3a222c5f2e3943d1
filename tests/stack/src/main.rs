//! `cargo stack VERB`: the whole system from one command line.

mod cli;
mod command;
mod say;

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    match command::run(cli::Cli::parse().verb).await {
        Ok(code) => code,
        Err(error) => {
            say::error(&error.to_string());
            ExitCode::FAILURE
        }
    }
}
