//! The floor: bytes that are ready, written to one socket after the other by one thread. A
//! line on standard input, `EVENTS BYTES`, has so many events of so many bytes written; the
//! end of each is the mark that was given as the argument.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::time::Duration;

fn main() {
    let mark = std::env::args().nth(1).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    println!("{}", listener.local_addr().unwrap());
    let (tell, told) = channel::<(usize, usize)>();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            let line = line.unwrap();
            let (events, bytes) = line.split_once(' ').unwrap();
            tell.send((events.parse().unwrap(), bytes.parse().unwrap())).unwrap();
        }
        std::process::exit(0);
    });
    let mut watchers: Vec<TcpStream> = Vec::new();
    loop {
        while let Ok((mut socket, _)) = listener.accept() {
            socket.set_nodelay(true).unwrap();
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n").unwrap();
            watchers.push(socket);
        }
        let Ok((events, bytes)) = told.recv_timeout(Duration::from_millis(1)) else {
            continue;
        };
        let event = format!("data: {}{mark}\n\n", "x".repeat(bytes - mark.len()));
        for _ in 0..events {
            // Who hung up is left out.
            watchers.retain_mut(|socket| socket.write_all(event.as_bytes()).is_ok());
        }
    }
}
