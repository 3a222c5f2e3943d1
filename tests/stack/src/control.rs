//! How a second shell reaches the run: a Unix socket in the state directory, one JSON line for a command, one for the answer.
//!
//! The `up` process owns the children, so it alone kills and starts them; a second shell asks it.
//! Whoever can open the socket file can command the run; it is created for its owner.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::error::Error;
use crate::faults::Standing;
use crate::record::Record;
use crate::stack::Stack;
use crate::status::Table;

/// A command.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum Command {
    Status,
    Kill { instance: String },
    Pause { instance: String },
    Resume { instance: String },
    Restart { instance: String },
    ZoneDown { zone: String },
    ZoneUp { zone: String },
    ConsulStart { wipe: bool },
    Fault { whom: String, fault: Value },
    FaultClear { whom: Option<String> },
    FaultList,
    Trace { id: String },
    Traces { count: usize },
    Down,
}

/// Its answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    Said { text: String },
    Status { table: Table },
    Failed { why: String },
}

/// Listens for commands as long as the stack lives.
pub fn serve(stack: &Stack) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = stack.place().control_socket();
    let _ = std::fs::remove_file(&path);
    let listener =
        UnixListener::bind(&path).map_err(Error::io(format!("listening on {}", path.display())))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
        .map_err(Error::io("closing the control socket to others"))?;
    let stack = stack.weak();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Some(inner) = stack.upgrade() else { return };
            // A shell that went away before its answer is no concern of ours.
            tokio::spawn(async move { drop(converse(Stack::of(inner), stream).await) });
        }
    });
    Ok(())
}

/// Sends a command to the run that a record names.
pub async fn ask(record: &Record, command: &Command) -> Result<Answer, Error> {
    let doing = || format!("asking the run on {}", record.control.display());
    let mut stream = UnixStream::connect(&record.control)
        .await
        .map_err(Error::io(doing()))?;
    let line = serde_json::to_string(command).expect("a command is plain data") + "\n";
    stream
        .write_all(line.as_bytes())
        .await
        .map_err(Error::io(doing()))?;
    let mut answer = String::new();
    BufReader::new(stream)
        .read_line(&mut answer)
        .await
        .map_err(Error::io(doing()))?;
    match serde_json::from_str(&answer) {
        Ok(Answer::Failed { why }) => Err(Error::Other(why)),
        Ok(answer) => Ok(answer),
        Err(_) => Err(Error::Other("the run ended before it answered".to_owned())),
    }
}

async fn converse(stack: Stack, mut stream: UnixStream) -> std::io::Result<()> {
    let (read, mut write) = stream.split();
    let mut line = String::new();
    BufReader::new(read).read_line(&mut line).await?;
    let answer = match serde_json::from_str(&line) {
        Ok(command) => obey(&stack, command)
            .await
            .unwrap_or_else(|error| Answer::Failed {
                why: error.to_string(),
            }),
        Err(error) => Answer::Failed {
            why: format!("not a command ({error})"),
        },
    };
    let line = serde_json::to_string(&answer).expect("an answer is plain data") + "\n";
    write.write_all(line.as_bytes()).await
}

async fn obey(stack: &Stack, command: Command) -> Result<Answer, Error> {
    let text = match command {
        Command::Status => {
            return Ok(Answer::Status {
                table: stack.status().await,
            });
        }
        Command::Kill { instance } => stack
            .kill(&instance)
            .await
            .map(|()| format!("{instance} killed"))?,
        Command::Pause { instance } => stack
            .pause(&instance)
            .map(|()| format!("{instance} paused"))?,
        Command::Resume { instance } => stack
            .resume(&instance)
            .map(|()| format!("{instance} resumed"))?,
        Command::Restart { instance } => {
            let took = stack.restart(&instance).await?;
            format!(
                "{instance} started; all passing after {:.1} s",
                took.as_secs_f64()
            )
        }
        Command::ZoneDown { zone } => {
            format!("killed {}", stack.zone_down(&zone).await?.join(", "))
        }
        Command::ZoneUp { zone } => {
            let took = stack.zone_up(&zone).await?;
            format!(
                "zone {zone} is up; all passing after {:.1} s",
                took.as_secs_f64()
            )
        }
        Command::ConsulStart { wipe } => {
            let took = stack.consul_start(wipe).await?;
            format!(
                "consul started; everything registered and passing after {:.1} s",
                took.as_secs_f64()
            )
        }
        Command::Fault { whom, fault } => {
            let struck = stack.fault(&whom, &fault).await?;
            format!("{}: {}", struck.join(", "), said(&fault))
        }
        Command::FaultClear { whom } => {
            let cleared = stack.clear_faults(whom.as_deref()).await?;
            format!("{cleared} faults cleared")
        }
        Command::FaultList => standing(&stack.faults().await?),
        Command::Trace { id } => stack.trace(&id).await?.to_string(),
        Command::Traces { count } => listing(stack, count)?,
        Command::Down => {
            stack.end();
            "the run is ending".to_owned()
        }
    };
    if !text.contains('\n') {
        stack.reporter().say(text.clone());
    }
    Ok(Answer::Said { text })
}

fn standing(all: &[Standing]) -> String {
    let lines = all.iter().flat_map(|one| {
        let line = |fault| format!("{}  {}\n", one.instance, said(fault));
        one.faults.iter().map(line)
    });
    let text: String = lines.collect();
    if text.is_empty() {
        "nothing is broken on purpose\n".to_owned()
    } else {
        text
    }
}

/// A fault in one line: its kind, then its settings.
fn said(fault: &Value) -> String {
    let kind = fault["kind"].as_str().unwrap_or_default();
    let fields = fault.as_object().into_iter().flatten();
    let settings = fields.filter(|(key, _)| *key != "kind");
    let settings = settings.map(|(key, value)| match value {
        Value::String(text) => format!("{key} {text}"),
        other => format!("{key} {other}"),
    });
    [kind.to_owned()]
        .into_iter()
        .chain(settings)
        .collect::<Vec<_>>()
        .join("  ")
}

fn listing(stack: &Stack, count: usize) -> Result<String, Error> {
    let traces = stack.traces(count)?;
    let lines = traces.iter().map(|trace| match trace.roots().first() {
        Some(root) => format!("{}  {} spans  {root}", trace.id, trace.spans.len()),
        None => trace.id.clone(),
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    Ok(if text.is_empty() {
        "no trace has arrived yet\n".to_owned()
    } else {
        text + "\n"
    })
}
