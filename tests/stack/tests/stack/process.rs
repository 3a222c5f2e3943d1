//! One supervised program.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stack::{Program, Reporter, State, Unit};

fn shell(folder: &Path, script: &str) -> Program {
    Program {
        name: "child".into(),
        path: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        env: BTreeMap::from([("GREETING".to_owned(), "hello".to_owned())]),
        log: folder.join("child.log"),
    }
}

fn unit(folder: &Path, script: &str) -> Unit {
    Unit::new(shell(folder, script), Reporter::silent())
}

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_childs_words_and_environment_are_in_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let child = shell(folder.path(), "echo $GREETING; echo worse >&2; exit 7");
    let process = child.spawn().unwrap();
    assert!(process.ended(SOON).await);
    assert_eq!(process.exit().unwrap(), "exit status: 7");
    assert_eq!(child.last_words(5), "hello\nworse");
    assert_eq!(child.last_words(1), "worse");
}

#[tokio::test]
async fn a_killed_unit_is_down_and_can_be_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let unit = unit(folder.path(), "sleep 600");
    unit.start().unwrap();
    assert_eq!(unit.state(), State::Running);
    assert!(
        unit.start()
            .unwrap_err()
            .to_string()
            .contains("child is running")
    );
    unit.kill().await.unwrap();
    assert_eq!(unit.state(), State::Stopped);
    assert!(
        unit.kill()
            .await
            .unwrap_err()
            .to_string()
            .contains("child is down")
    );
    unit.start().unwrap();
    assert_eq!((unit.state(), unit.starts()), (State::Running, 2));
    unit.kill().await.unwrap();
}

#[tokio::test]
async fn a_paused_unit_stands_still_until_it_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let unit = unit(folder.path(), "exec sleep 600");
    unit.start().unwrap();
    let stat = format!("/proc/{}/stat", unit.process().unwrap().pid());
    let becomes = async |letter: &str| {
        stack::wait::until("its state", SOON, || async {
            let stat = std::fs::read_to_string(&stat).unwrap();
            if stat.contains(&format!("(sleep) {letter} ")) {
                Ok(())
            } else {
                Err(stat)
            }
        })
        .await
        .unwrap();
    };
    becomes("S").await;
    unit.pause().unwrap();
    assert_eq!(unit.state(), State::Paused);
    becomes("T").await;
    unit.resume().unwrap();
    assert_eq!(unit.state(), State::Running);
    becomes("S").await;
    unit.kill().await.unwrap();
}

#[tokio::test]
async fn stopping_asks_first_and_kills_what_does_not_listen() {
    let folder = tempfile::tempdir().unwrap();
    let polite = unit(
        folder.path(),
        "trap 'exit 0' TERM; echo ready; while :; do sleep 0.02; done",
    );
    let deaf = unit(
        folder.path(),
        "trap '' TERM; echo deaf; while :; do sleep 0.02; done",
    );
    for unit in [&polite, &deaf] {
        unit.start().unwrap();
    }
    stack::wait::until("both traps", SOON, || async {
        let said = polite.program().last_words(9);
        if said.contains("ready") && said.contains("deaf") {
            Ok(())
        } else {
            Err(said)
        }
    })
    .await
    .unwrap();
    assert!(polite.stop(SOON).await);
    assert!(!deaf.stop(Duration::from_millis(200)).await);
    assert_eq!(deaf.state(), State::Stopped);
}

#[tokio::test]
async fn an_end_that_nobody_asked_for_is_reported_with_its_last_word() {
    let folder = tempfile::tempdir().unwrap();
    let said = Arc::<Mutex<Vec<String>>>::default();
    let heard = said.clone();
    let reporter = Reporter::new(move |line| heard.lock().unwrap().push(line));
    let unit = Arc::new(Unit::new(
        shell(folder.path(), "echo goodbye; exit 3"),
        reporter,
    ));
    let process = unit.start().unwrap();
    unit.watch(process);
    let line = stack::wait::until("a report", SOON, || async {
        said.lock()
            .unwrap()
            .first()
            .cloned()
            .ok_or_else(String::new)
    });
    let line = line.await.unwrap();
    assert!(
        line.contains("child ended by itself (exit status: 3)") && line.contains("goodbye"),
        "{line}"
    );
}

#[tokio::test]
async fn a_signal_to_a_child_reaches_its_own_children() {
    let folder = tempfile::tempdir().unwrap();
    let unit = unit(folder.path(), "sleep 601 & echo $!; wait");
    unit.start().unwrap();
    let grandchild = stack::wait::until("the grandchild", SOON, || async {
        unit.program()
            .last_words(1)
            .parse::<u32>()
            .map_err(|error| error.to_string())
    });
    let grandchild = grandchild.await.unwrap();
    unit.kill().await.unwrap();
    stack::wait::until("its end", SOON, || async {
        let stat = std::fs::read_to_string(format!("/proc/{grandchild}/stat")).unwrap_or_default();
        if stat.is_empty() || stat.contains(") Z ") {
            Ok(())
        } else {
            Err(stat)
        }
    })
    .await
    .unwrap();
}
