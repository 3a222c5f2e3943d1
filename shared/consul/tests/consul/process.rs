//! A process that registers: an ops listener that says it is ready, and a registration for it.

use std::net::{IpAddr, Ipv4Addr};

use consul::{Agent, Handle, Metrics, Registration, registration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

pub struct Process {
    pub registration: Registration,
}

impl Process {
    /// Binds its ops listener and answers every request there with 200.
    pub async fn start(name: &str, zone: &str) -> Self {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let ops = TcpListener::bind((address, 0)).await.unwrap();
        let ops_port = ops.local_addr().unwrap().port();
        actix_web::rt::spawn(async move {
            while let Ok((mut stream, _)) = ops.accept().await {
                let mut request = [0; 1024];
                // A prober that goes away early is no business of ours.
                let _ = stream.read(&mut request).await;
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    .await;
            }
        });
        // Nothing listens on the API's port here: only the ops listener is asked.
        let port = TcpListener::bind((address, 0))
            .await
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let registration = Registration {
            name: name.to_owned(),
            id: Registration::instance_id(name, address, port, &registration::boot()),
            address,
            port,
            ops_port,
            zone: zone.to_owned(),
            version: "0.1.0".to_owned(),
            weight: 10,
        };
        Self { registration }
    }

    pub fn id(&self) -> &str {
        &self.registration.id
    }

    pub fn register(&self, agent: &Agent, metrics: &Metrics) -> Handle {
        registration::spawn(
            agent.clone(),
            self.registration.clone(),
            metrics.clone(),
            || async { true },
        )
    }
}
