//! A thousand clients that send a head a byte at a time, and a good one beside them.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::{ENDED, ITEMS, SLACK};
use crate::{
    crowded,
    rig::{Rig, request},
    upstream::Upstream,
    wire::{Wire, eventually},
};

const CROWD: usize = 1000;
/// Shorter than what is shipped, so that the test is.
const HEAD: Duration = Duration::from_secs(2);
/// Each sends one byte in this time.
const PACE: Duration = Duration::from_millis(500);
/// A good client may be hindered by a thousand others on a busy machine, but not held.
const GOOD_P99: Duration = Duration::from_millis(500);

/// One that never finishes what it begins.
struct Slow {
    stream: TcpStream,
    /// When its first byte went out, and when it was let go.
    begun: Instant,
    told: Vec<u8>,
    over: Option<Duration>,
}

#[test]
fn a_thousand_clients_that_are_slow_with_their_first_head_are_let_go() {
    let _crowd = crowded();
    let (rig, good) = gateway();
    watch(false, &rig, good);
}

#[test]
fn a_thousand_clients_that_are_slow_with_their_second_head_are_let_go() {
    let _crowd = crowded();
    let (rig, good) = gateway();
    watch(true, &rig, good);
}

fn gateway() -> (Rig, Good) {
    descriptors_for(4 * CROWD as u64);
    let rig = Rig::with(
        "[server]\nhead_timeout_ms = 2000\nconnections_per_address = 2000\n\
         [limits]\naddress = { requests = 100000, per_ms = 1000, burst = 100000 }\n\
         [limits.groups]\nbrowse = { requests = 100000, per_ms = 1000, burst = 100000 }\n",
        &[("", &[Upstream::well().address])],
    );
    let good = Good::start(rig.address);
    (rig, good)
}

/// Both ends of each connection are here, beside those of other tests: a plain shell allows 1024.
fn descriptors_for(needed: u64) {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let mut files = limits
        .lines()
        .filter_map(|line| line.strip_prefix("Max open files"));
    let soft = files.next().and_then(|line| line.split_whitespace().next());
    let soft: Option<u64> = soft.and_then(|soft| soft.parse().ok());
    if soft.is_none_or(|soft| soft >= needed) {
        return;
    }
    let raised = Command::new("prlimit")
        .arg(format!("--pid={}", std::process::id()))
        .arg(format!("--nofile={needed}:"))
        .status();
    assert!(
        raised.is_ok_and(|status| status.success()),
        "{needed} descriptors are needed and {soft:?} allowed; raise the limit with: ulimit -n {needed}"
    );
}

fn watch(second: bool, rig: &Rig, good: Good) {
    let mut crowd = Vec::new();
    while crowd.len() < CROWD {
        crowd.extend((0..20).map(|_| Slow::new(rig.address, second)));
        crowd.iter_mut().for_each(Slow::look);
    }
    let mut next_byte = Instant::now();
    let patience = Instant::now() + HEAD + 4 * SLACK;
    while crowd.iter().any(|slow| slow.over.is_none()) && Instant::now() < patience {
        if Instant::now() >= next_byte {
            next_byte += PACE;
            crowd.iter_mut().for_each(Slow::send_a_byte);
        }
        crowd.iter_mut().for_each(Slow::look);
        std::thread::sleep(Duration::from_millis(10));
    }
    let open = crowd.iter().filter(|slow| slow.over.is_none()).count();
    assert_eq!(open, 0, "of {CROWD} are still connected");
    let times = || crowd.iter().filter_map(|slow| slow.over);
    let (first, last) = (times().min().unwrap(), times().max().unwrap());
    let p99 = good.p99();
    println!(
        "{CROWD} slow heads, deadline {HEAD:?}: let go after {first:?} to {last:?}; a good client's p99 {p99:?}"
    );
    assert!(last < HEAD + SLACK, "{last:?}");
    assert!(p99 < GOOD_P99, "{p99:?}");
    let told = crowd.iter().filter(|slow| slow.was_told()).count();
    assert_eq!(told, CROWD, "of {CROWD} were answered 408");
    assert_eq!(
        rig.metric(ENDED, &[("reason", "head_timeout")]),
        CROWD as f64
    );
    eventually(
        || rig.metric("lictor_client_connections", &[]),
        |open| *open == 0.0,
    );
}

impl Slow {
    /// A connection, behind a whole request and its answer when the second head is the slow one.
    fn new(address: SocketAddr, second: bool) -> Self {
        let mut wire = Wire::connect(address);
        if second {
            wire.send(&request("GET", ITEMS, &[], b""));
            assert_eq!(wire.answer().status, 200);
        }
        let stream = wire.into_stream();
        stream.set_nonblocking(true).unwrap();
        let begun = Instant::now();
        (&stream).write_all(b"G").unwrap();
        Self {
            stream,
            begun,
            told: Vec::new(),
            over: None,
        }
    }

    fn send_a_byte(&mut self) {
        // Whoever was let go cannot.
        let _ = self.stream.write_all(b"E");
    }

    fn look(&mut self) {
        let mut block = [0; 1024];
        match self.stream.read(&mut block) {
            Ok(some @ 1..) => self.told.extend_from_slice(&block[..some]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Ok(_) | Err(_) => drop(self.over.get_or_insert_with(|| self.begun.elapsed())),
        }
    }

    fn was_told(&self) -> bool {
        let told = String::from_utf8_lossy(&self.told);
        told.starts_with("HTTP/1.1 408 ") && told.ends_with('}')
    }
}

/// A client that does everything right, one request after the other.
struct Good {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Vec<Duration>>,
}

impl Good {
    fn start(address: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut wire = Wire::connect(address);
            let asked = request("GET", ITEMS, &[], b"");
            let mut took = Vec::new();
            while !told.load(Ordering::SeqCst) {
                let begin = Instant::now();
                wire.send(&asked);
                assert_eq!(wire.answer().status, 200);
                took.push(begin.elapsed());
                std::thread::sleep(Duration::from_millis(2));
            }
            took
        });
        Self { stop, thread }
    }

    fn p99(self) -> Duration {
        self.stop.store(true, Ordering::SeqCst);
        let mut took = self.thread.join().unwrap();
        took.sort_unstable();
        took[took.len() * 99 / 100]
    }
}
