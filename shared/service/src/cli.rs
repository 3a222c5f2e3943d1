//! The command line of every binary: four flags, the rest is configuration.

use std::path::PathBuf;

/// What the process was asked to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Live, with this configuration file.
    Run(Option<PathBuf>),
    /// Ask the own `/readyz` and exit 0 or 1.
    Probe(Option<PathBuf>),
    /// Print and exit.
    Say(String),
}

const HELP: &str = "\
Usage: NAME [--config FILE] [--probe]

  --config FILE   read FILE after the built-in defaults (or set LICTOR_CONFIG)
  --probe         ask this configuration's own /readyz: exit 0 when ready, 1 when not
  --version       print the version
  --help          print this

Every key can be set by the environment: LICTOR_SERVER__PUBLIC=127.0.0.1:8080 is server.public.
Bad configuration exits 64 with the key, the value and the reason.
";

/// Reads the arguments after the program's name.
pub(crate) fn parse(
    name: &str,
    version: &str,
    arguments: impl Iterator<Item = String>,
    variable: Option<String>,
) -> Result<Command, String> {
    let mut file = variable.map(PathBuf::from);
    let mut probe = false;
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--help" | "-h" => return Ok(Command::Say(HELP.replace("NAME", name))),
            "--version" | "-V" => return Ok(Command::Say(format!("{name} {version}\n"))),
            "--probe" => probe = true,
            "--config" => match arguments.next() {
                Some(path) => file = Some(PathBuf::from(path)),
                None => return Err("--config needs a file".to_owned()),
            },
            other => return Err(format!("unknown argument {other}; try --help")),
        }
    }
    Ok(if probe {
        Command::Probe(file)
    } else {
        Command::Run(file)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Command, String> {
        parse(
            "users",
            "1.2.3",
            arguments.iter().map(|word| (*word).to_owned()),
            None,
        )
    }

    #[test]
    fn the_four_flags_are_understood_and_others_refused() {
        assert_eq!(parsed(&[]), Ok(Command::Run(None)));
        assert_eq!(
            parsed(&["--config", "a.toml"]),
            Ok(Command::Run(Some("a.toml".into())))
        );
        assert_eq!(parsed(&["--probe"]), Ok(Command::Probe(None)));
        assert_eq!(
            parsed(&["--version"]),
            Ok(Command::Say("users 1.2.3\n".to_owned()))
        );
        assert!(
            matches!(parsed(&["--help"]), Ok(Command::Say(text)) if text.starts_with("Usage: users"))
        );
        assert!(parsed(&["--config"]).is_err());
        assert!(parsed(&["--colour"]).is_err_and(|error| error.contains("--colour")));
    }
}
