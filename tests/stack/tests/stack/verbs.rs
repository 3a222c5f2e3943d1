//! The binary as a person meets it: what it says when it cannot help.

use std::process::{Command, Output};

fn stack(target: &std::path::Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stack"))
        .args(args)
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap()
}

#[test]
fn without_a_run_the_line_that_starts_one_is_given() {
    let target = tempfile::tempdir().unwrap();
    for args in [
        &["status"][..],
        &["kill", "users-a1"],
        &["zone", "down", "a"],
        &["trace", "abc"],
        &["fault", "inventory", "hang"],
        &["fault", "list"],
        &["load"],
        &["down"],
    ] {
        let output = stack(target.path(), args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{args:?}");
        assert_eq!(
            said, "error: nothing is running; start it with: cargo stack up\n",
            "{args:?}"
        );
    }
}

#[test]
fn an_unknown_verb_is_refused_with_a_pointer_to_the_known_ones() {
    let target = tempfile::tempdir().unwrap();
    let output = stack(target.path(), &["stats"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && said.contains("status") && said.contains("--help"),
        "{said}"
    );
}

#[test]
fn up_refuses_impossible_wishes_before_it_does_anything() {
    let target = tempfile::tempdir().unwrap();
    for (args, why) in [
        (&["up", "--instances", "0"][..], "at least one"),
        (&["up", "--zones", "a,B!"], "a zone's name"),
        (&["up", "--set", "nonsense"], "expected SECTION__KEY=VALUE"),
    ] {
        let output = stack(target.path(), args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && said.contains(why),
            "{args:?}: {said}"
        );
    }
    assert_eq!(std::fs::read_dir(target.path()).unwrap().count(), 0);
}
