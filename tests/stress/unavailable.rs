//! Many processes on a server that is unavailable.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use crate::support::{Ran, User};

/// How long processes that start together take on a server that is unavailable, as a multiple of the time of one.
pub fn multiple_of_one_process(processes: usize) -> f64 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || refuse(client));
        }
    });
    let mut user = User::new().with_key();
    user.point_at(&url);
    let time = |processes: usize| {
        let started = Instant::now();
        let children: Vec<_> = (0..processes).map(|_| user.start(["iam", "create-token"])).collect();
        for child in children {
            Ran::of(child).failed(5);
        }
        started.elapsed().as_secs_f64()
    };
    // Whatever else the machine does makes it longer, so that the shortest of three is the figure.
    let multiple = || time(processes) / time(1).max(time(1));
    [multiple(), multiple(), multiple()].into_iter().fold(f64::INFINITY, f64::min)
}

/// Answers one request with 503, as soon as it is read.
fn refuse(mut client: TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"}") {
        let mut chunk = [0; 4096];
        match client.read(&mut chunk) {
            Ok(length) if length > 0 => request.extend_from_slice(&chunk[..length]),
            _ => return,
        }
    }
    let body = r#"{"code": 14, "message": "The service is unavailable"}"#;
    let head = format!("HTTP/1.1 503 Busy\r\nconnection: close\r\ncontent-length: {}", body.len());
    let _ = write!(client, "{head}\r\n\r\n{body}");
}
