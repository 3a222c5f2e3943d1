//! Thousands of clients that hold on to the gateway as it is shipped: each is let go in time, a good one beside them notices little, and nothing of them is left.

mod good;

use self::good::Good;
use super::system::{System, descriptors_for};
use stack::wait;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

/// Clients of each kind.
const CROWD: usize = 1000;
/// One byte in this time.
const PACE: Duration = Duration::from_secs(1);
/// What a busy machine may add to a deadline.
const SLACK: Duration = Duration::from_secs(2);
/// A good request beside all of them.
const GOOD_P99: Duration = Duration::from_millis(60);
/// Tries of each kind, of which the best counts for the good client: noise only adds, and a gateway that is really hindered is so each time.
const TRIES: usize = 3;
/// What so many connections may cost the gateway.
const MOST_KIB: u64 = 150 * 1024;

const GET: &str = "GET /api/inventory/items?limit=1 HTTP/1.1\r\nHost: shop\r\n";

/// What a client of one kind does, and when it is to be let go.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    /// A whole request comes first.
    second: bool,
    /// Sent at once; byte after byte follows.
    begins: &'static str,
    deadline: Duration,
}

/// `server.head_timeout_ms` as it is shipped, and the whole timeout of the orders' route.
const KINDS: [Kind; 3] = [
    Kind {
        name: "first heads",
        second: false,
        begins: "G",
        deadline: Duration::from_secs(5),
    },
    Kind {
        name: "second heads",
        second: true,
        begins: "G",
        deadline: Duration::from_secs(5),
    },
    Kind {
        name: "bodies",
        second: true,
        begins: "POST /api/orders HTTP/1.1\r\nHost: shop\r\nContent-Length: 4096\r\n",
        deadline: Duration::from_secs(3),
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_send_a_byte_a_second_are_let_go_and_a_good_one_beside_them_is_served() {
    // Both ends: the gateway inherits the limit.
    descriptors_for(2 * CROWD);
    let system = System::start("slow-clients").await;
    for kind in KINDS {
        let mut p99s = Vec::new();
        while p99s.len() < TRIES && p99s.iter().all(|p99| *p99 >= GOOD_P99) {
            p99s.push(meet(&system, kind).await);
        }
        assert!(
            p99s.iter().any(|p99| *p99 < GOOD_P99),
            "a good client's p99 beside slow {}: {p99s:?}",
            kind.name
        );
    }
    system.stop().await;
}

/// A crowd of one kind; the p99 of a good client from when all of it was there.
async fn meet(system: &System, kind: Kind) -> Duration {
    let gateway = system.gateway();
    let process = gateway.unit.process().unwrap();
    let key = format!("X-API-Key: {}\r\n", system.keys().load);
    let before = descriptors(process.pid());
    let here = Arc::new(Semaphore::new(0));
    let mut crowd = JoinSet::new();
    for _ in 0..CROWD {
        let (key, here) = (key.clone(), here.clone());
        crowd.spawn(hold(gateway.addresses.public, kind, key, here));
        // Connections come one after the other, not in one burst that the backlog has to take.
        sleep(Duration::from_micros(200)).await;
    }
    // What a thousand new connections cost at once is not the question here.
    let all = u32::try_from(CROWD).unwrap();
    let _all_here = here.acquire_many(all).await.unwrap();
    let good = Good::start(system);
    let mut most = (0, 0);
    let mut times = Vec::new();
    let mut told = 0;
    let mut looking = interval(Duration::from_millis(100));
    while times.len() < CROWD {
        tokio::select! {
            one = crowd.join_next() => {
                let (time, status) = one.unwrap().unwrap();
                times.push(time);
                told += usize::from(status == 408);
            }
            _ = looking.tick() => {
                most.0 = most.0.max(descriptors(process.pid()));
                most.1 = most.1.max(process.resident_kib().unwrap());
            }
        }
    }
    let (count, p99) = good.finish();
    let [first, last] =
        [times.iter().min(), times.iter().max()].map(|time| time.unwrap().as_secs_f64());
    println!(
        "{CROWD} slow {}: let go after {first:.2} to {last:.2} s (deadline {:?}), {told} told 408; \
         a good client's p99 {:.1} ms of {count}; {} descriptors before, {} at most; {} KiB at most",
        kind.name,
        kind.deadline,
        p99.as_secs_f64() * 1e3,
        before,
        most.0,
        most.1,
    );
    assert_eq!(told, CROWD, "slow {} told 408", kind.name);
    assert!(last < (kind.deadline + SLACK).as_secs_f64(), "{last}");
    assert!(most.1 < MOST_KIB, "{} KiB", most.1);
    let back = wait::until("descriptors as before", Duration::from_secs(20), || async {
        let now = descriptors(process.pid());
        // The good client's and the monitors' own come and go.
        if now <= before + 8 {
            Ok(())
        } else {
            Err(format!("{now}, {before} before"))
        }
    });
    back.await.unwrap();
    p99
}

/// One that never finishes; how long it was borne, and what it was told.
async fn hold(
    gateway: SocketAddr,
    kind: Kind,
    key: String,
    here: Arc<Semaphore>,
) -> (Duration, u16) {
    let mut socket = TcpStream::connect(gateway).await.unwrap();
    if kind.second {
        socket
            .write_all(format!("{GET}{key}\r\n").as_bytes())
            .await
            .unwrap();
        assert_eq!(answer(&mut socket).await, 200);
    }
    let begun = Instant::now();
    let begins = match kind.begins {
        "G" => "G".to_owned(),
        head => format!("{head}{key}\r\n"),
    };
    socket.write_all(begins.as_bytes()).await.unwrap();
    here.add_permits(1);
    let (mut from, mut to) = socket.split();
    let dripping = async {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pace.tick().await;
            // Whoever was let go cannot.
            let _ = to.write_all(b"E").await;
        }
    };
    let mut told = Vec::new();
    tokio::select! {
        () = dripping => {}
        // A reset ends it as well as an end does.
        _ = from.read_to_end(&mut told) => {}
    }
    (begun.elapsed(), status(&told))
}

/// The status of one whole answer.
async fn answer(socket: &mut TcpStream) -> u16 {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lower = head.to_ascii_lowercase();
            let length = lower.split("content-length: ").nth(1).unwrap();
            let length: usize = length.lines().next().unwrap().parse().unwrap();
            if body.len() >= length {
                return status(&read);
            }
        }
        assert!(socket.read_buf(&mut read).await.unwrap() > 0);
    }
}

fn status(answer: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(answer);
    let word = text.split(' ').nth(1).unwrap_or("0");
    word.parse().unwrap_or(0)
}

fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .count()
}
