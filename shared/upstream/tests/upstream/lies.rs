//! Upstreams that do not do what HTTP says.

use super::scene::{Scene, answer, ok, read_request, upstream};
use tokio::io::AsyncWriteExt as _;

async fn code_of(bytes: &'static str) -> String {
    let address = upstream(move |mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
    });
    Scene::of(&[address.await])
        .get()
        .await
        .unwrap_err()
        .code
        .into_owned()
}

#[actix_web::test]
async fn a_cut_answer_is_not_a_whole_one() {
    assert_eq!(
        code_of("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n[1]").await,
        "upstream_unreachable"
    );
    assert_eq!(
        code_of("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n[1,").await,
        "upstream_bad_answer"
    );
}

#[actix_web::test]
async fn what_is_not_http_or_not_json_is_a_bad_answer() {
    assert_eq!(
        code_of("SSH-2.0-OpenSSH_9.2\r\n\r\n").await,
        "upstream_bad_answer"
    );
    assert_eq!(
        code_of("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n<ok>").await,
        "upstream_bad_answer"
    );
}

#[actix_web::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = upstream(|stream| answer(stream, ok("1"))).await;
    let redirects = upstream(move |stream| async move {
        let head = format!(
            "HTTP/1.1 302 Found\r\nlocation: http://{elsewhere}/\r\ncontent-length: 0\r\n\r\n"
        );
        answer(stream, head).await;
    });
    let error = Scene::of(&[redirects.await]).get().await.unwrap_err();
    assert_eq!((error.status, &*error.code), (302, "upstream_error"));
}

#[actix_web::test]
async fn a_huge_answer_does_not_fill_the_memory() {
    let address = upstream(|mut stream| async move {
        read_request(&mut stream).await;
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        let chunk = format!("10000\r\n{}\r\n", "1".repeat(0x10000));
        while stream.write_all(chunk.as_bytes()).await.is_ok() {}
    });
    let error = Scene::of(&[address.await]).get().await.unwrap_err();
    assert_eq!(&*error.code, "upstream_unreachable");
}
