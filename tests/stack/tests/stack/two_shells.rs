//! `cargo stack up` in one shell and the verbs in another, through the real binary, with stand-ins for the services.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use stack::record::Record;

use super::stand_ins;

const SOON: Duration = Duration::from_secs(30);

/// They want the same well-known ports, so each waits for its turn.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A shell whose runs are in a target directory of their own.
struct Shell {
    target: tempfile::TempDir,
    binaries: tempfile::TempDir,
}

impl Shell {
    fn new() -> Self {
        Self {
            target: tempfile::tempdir().unwrap(),
            binaries: stand_ins(),
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stack"));
        command
            .args(args)
            .env("CARGO_TARGET_DIR", self.target.path());
        command
    }

    /// Starts a run and waits until it says that it is up; what it says is in `up.log`.
    async fn up(&self) -> Child {
        let words = std::fs::File::create(self.target.path().join("up.log")).unwrap();
        let mut up = self.command(&["up", "--binaries", self.binaries.path().to_str().unwrap()]);
        let mut up = up
            .stdout(words.try_clone().unwrap())
            .stderr(words)
            .spawn()
            .unwrap();
        let answering = stack::wait::until("up to be up", SOON, || {
            let (ended, said) = (up.try_wait().unwrap(), self.said());
            async move {
                if ended.is_some() || said.contains("Ctrl-C drains") {
                    Ok(ended)
                } else {
                    Err(said)
                }
            }
        });
        let ended = answering.await.unwrap();
        assert!(ended.is_none(), "{ended:?}: {}", self.said());
        up
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.target.path().join("up.log")).unwrap()
    }

    async fn run(&self, args: &[&str]) -> Output {
        let mut command = self.command(args);
        tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap()
    }

    async fn say(&self, args: &[&str]) -> String {
        text(&self.run(args).await)
    }

    fn record(&self) -> Record {
        serde_json::from_slice(&std::fs::read(self.file("run.json")).unwrap()).unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.target.path().join("stack").join(name)
    }
}

fn text(output: &Output) -> String {
    String::from_utf8([output.stdout.as_slice(), output.stderr.as_slice()].concat()).unwrap()
}

async fn gone(pids: &[u32]) {
    let lives = |pid: &u32| Path::new(&format!("/proc/{pid}/exe")).exists();
    stack::wait::until("the end of all", SOON, || async {
        let left: Vec<&u32> = pids.iter().filter(|pid| lives(pid)).collect();
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    })
    .await
    .unwrap();
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

async fn ended(child: &mut Child) -> i32 {
    let exit = stack::wait::until("the end of up", SOON, || {
        let status = child.try_wait().unwrap();
        async move { status.ok_or_else(|| "it runs".to_owned()) }
    });
    exit.await.unwrap().code().unwrap_or(-1)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_shell_sees_and_commands_the_run_of_the_first() {
    let _turn = TURN.lock().await;
    let shell = Shell::new();
    let mut up = shell.up().await;

    assert_eq!(shell.say(&["kill", "users-a1"]).await, "users-a1 killed\n");
    let status = shell.say(&["status"]).await;
    assert!(
        status
            .lines()
            .any(|line| line.starts_with("users-a1") && line.contains("down")),
        "{status}"
    );
    assert!(
        shell
            .say(&["kill", "users-a1"])
            .await
            .contains("users-a1 is down")
    );
    assert!(
        shell
            .say(&["resume", "users-a1"])
            .await
            .contains("only what is paused")
    );
    assert!(
        shell
            .say(&["restart", "users-a1"])
            .await
            .starts_with("users-a1 started; all passing after")
    );
    assert_eq!(
        shell.say(&["pause", "orders-b1"]).await,
        "orders-b1 paused\n"
    );
    assert_eq!(
        shell.say(&["resume", "orders-b1"]).await,
        "orders-b1 resumed\n"
    );
    assert!(
        shell
            .say(&["zone", "down", "b"])
            .await
            .starts_with("killed users-b1, orders-b1")
    );
    assert!(
        shell
            .say(&["zone", "up", "b"])
            .await
            .starts_with("zone b is up")
    );
    assert!(
        shell
            .say(&["zone", "up", "q"])
            .await
            .contains("there is no zone q; known: a, b")
    );
    assert!(
        shell
            .say(&["kill", "nobody"])
            .await
            .contains("there is no instance nobody; known: gateway-1, users-a1")
    );
    assert_eq!(shell.say(&["consul", "kill"]).await, "consul killed\n");
    assert!(
        shell
            .say(&["consul", "start", "--wipe"])
            .await
            .starts_with("consul started; everything registered")
    );
    assert_eq!(shell.say(&["trace"]).await, "no trace has arrived yet\n");

    let second = shell.run(&["up"]).await;
    assert!(
        !second.status.success() && text(&second).contains("a stack is running already"),
        "{}",
        text(&second)
    );

    let pids: Vec<u32> = shell
        .record()
        .children
        .iter()
        .map(|child| child.pid)
        .collect();
    assert_eq!(pids.len(), 12);
    assert_eq!(shell.say(&["down"]).await, "down\n");
    assert_eq!(ended(&mut up).await, 0);
    gone(&pids).await;
    assert!(!shell.file("run.json").exists() && !shell.file("control.sock").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_drains_everything_and_leaves_nothing_behind() {
    let _turn = TURN.lock().await;
    let shell = Shell::new();
    let mut up = shell.up().await;
    let pids: Vec<u32> = shell
        .record()
        .children
        .iter()
        .map(|child| child.pid)
        .collect();
    signal(&up, Signal::SIGTERM);
    assert_eq!(ended(&mut up).await, 0);
    gone(&pids).await;
    assert!(!shell.file("run.json").exists());
    assert!(shell.say(&["status"]).await.contains("nothing is running"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_runner_left_behind_is_ended_by_the_next_one() {
    let _turn = TURN.lock().await;
    let shell = Shell::new();
    let mut first = shell.up().await;
    let left: Vec<u32> = shell
        .record()
        .children
        .iter()
        .map(|child| child.pid)
        .collect();
    signal(&first, Signal::SIGKILL);
    ended(&mut first).await;
    assert!(
        shell.say(&["status"]).await.contains("nothing is running"),
        "the record has no holder"
    );
    assert!(
        left.iter()
            .any(|pid| Path::new(&format!("/proc/{pid}/exe")).exists()),
        "nobody ended the children yet"
    );

    let mut second = shell.up().await;
    gone(&left).await;
    shell.say(&["down"]).await;
    assert_eq!(ended(&mut second).await, 0);
    let said = shell.said();
    assert!(
        said.contains("ended what an earlier run had left behind: consul, gateway-1"),
        "{said}"
    );
}

/// Does nothing for longer than any test.
const IDLE: &str = "exec sleep 60";

/// A program that stands in for a tool.
fn script(shell: &Shell, name: &str, does: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = shell.target.path().join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{does}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_runner_that_was_killed_while_it_built_left_behind_is_ended_by_down() {
    let _turn = TURN.lock().await;
    let shell = Shell::new();
    let words = std::fs::File::create(shell.target.path().join("up.log")).unwrap();
    let mut up = shell
        .command(&["up", "--with", "jaeger"])
        .env("CARGO", script(&shell, "cargo", IDLE))
        .env("JAEGER_BIN", script(&shell, "jaeger", IDLE))
        .process_group(0)
        .stdout(words.try_clone().unwrap())
        .stderr(words)
        .spawn()
        .unwrap();
    let left = stack::wait::until("both to be recorded", SOON, || async {
        let text = std::fs::read(shell.file("run.json")).map_err(|error| error.to_string())?;
        let record: Record = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        let names: Vec<String> = record
            .children
            .iter()
            .map(|child| child.name.clone())
            .collect();
        if names == ["consul", "jaeger"] {
            Ok(record.children)
        } else {
            Err(format!("{names:?}"))
        }
    });
    let left = left.await.unwrap_or_else(|error| panic!("{error}"));
    let left: Vec<u32> = left.iter().map(|child| child.pid).collect();
    assert!(
        shell.say(&["status"]).await.contains("starting"),
        "it takes no commands yet"
    );

    // The whole group: the build goes with it, as at a terminal that is closed; the children have groups of their own.
    let group = Pid::from_raw(i32::try_from(up.id()).unwrap());
    nix::sys::signal::killpg(group, Signal::SIGKILL).unwrap();
    ended(&mut up).await;
    assert_eq!(
        shell.say(&["down"]).await,
        "ended what an earlier run had left behind: consul, jaeger\n"
    );
    gone(&left).await;
    assert!(
        shell.say(&["down"]).await.contains("nothing is running"),
        "once is enough"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_is_given_the_run_and_what_the_flags_say_and_its_verdict_is_ours() {
    let _turn = TURN.lock().await;
    let shell = Shell::new();
    let mut up = shell.up().await;
    let k6 = script(
        &shell,
        "k6",
        "echo \"$* | $BASE_URL facts=$FACTS rate=$RATE vus=$K6_VUS out=$K6_OUT\"; exit 99",
    );
    let asked = |flags: &[&str], prometheus: &str| {
        let mut command = shell.command(&["k6", "smoke", "--rate", "7"]);
        command
            .args(flags)
            .env("K6_BIN", &k6)
            .env("K6_VUS", "3")
            .env("PROMETHEUS_URL", prometheus);
        tokio::task::spawn_blocking(move || command.output().unwrap())
    };
    let gateway = shell.record().gateway;

    let output = asked(&["--", "--no-color"], "http://127.0.0.1:9")
        .await
        .unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(99), "{said}");
    assert!(said.starts_with("run /"), "{said}");
    let wanted = format!(
        "k6/smoke.js --no-color --quiet | http://{gateway} facts=on rate=7 vus= out=experimental-prometheus-rw\n"
    );
    assert!(said.contains(&wanted), "{said}");
    assert!(!said.contains("report:"), "none was written: {said}");

    let said = text(&asked(&["--no-facts"], "http://127.0.0.1:9").await.unwrap());
    assert!(
        said.contains("facts=off rate=7 vus= out=experimental"),
        "{said}"
    );
    let said = text(&asked(&["--no-facts"], "").await.unwrap());
    assert!(said.contains("facts=off rate=7 vus= out=\n"), "{said}");
    let output = asked(&[], "").await.unwrap();
    let said = text(&output);
    assert!(
        !output.status.success() && said.contains("--with prometheus"),
        "{said}"
    );
    shell.say(&["down"]).await;
    assert_eq!(ended(&mut up).await, 0);
}
