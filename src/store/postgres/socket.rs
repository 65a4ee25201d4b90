//! A socket that is waited for on this thread, until a deadline: no runtime, no other thread, no switch between threads.
//! tokio-postgres is asynchronous but needs no tokio to run on; here it runs on `poll(2)`.

use std::future::Future;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The bytes' way to a server. Cloning it gives another handle to the same socket.
#[derive(Clone, Debug)]
pub(super) struct Socket(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    stream: Stream,
    /// Whether the system took no more bytes.
    full: AtomicBool,
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    pub(super) fn tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self(Arc::new(Inner { stream: Stream::Tcp(stream), full: AtomicBool::new(false) })))
    }

    pub(super) fn unix(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self(Arc::new(Inner { stream: Stream::Unix(stream), full: AtomicBool::new(false) })))
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match &self.0.stream {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
        }
    }

    /// Waits until there is something to read, or room to write if there was none. Says whether there is before the
    /// deadline.
    fn wait(&self, deadline: Instant) -> io::Result<bool> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            let mut flags = PollFlags::IN;
            if self.0.full.load(Ordering::Relaxed) {
                flags |= PollFlags::OUT;
            }
            let fd = self.fd();
            let left = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
            match rustix::event::poll(&mut [PollFd::new(&fd, flags)], Some(&left)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Runs what reads and writes this socket to its end. `None`: the deadline passed first.
    pub(super) fn run<T>(&self, within: Duration, future: impl Future<Output = T>) -> io::Result<Option<T>> {
        let deadline = Instant::now() + within;
        let mut future = pin!(future);
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
                return Ok(Some(value));
            }
            // One part of the future has something for another part.
            if woken.0.swap(false, Ordering::Relaxed) {
                continue;
            }
            if !self.wait(deadline)? {
                return Ok(None);
            }
        }
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Tries until the system says how it went; `Pending` is waited for by [`Socket::run`].
fn ready<T>(mut attempt: impl FnMut() -> io::Result<T>) -> Poll<io::Result<T>> {
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return Poll::Ready(result),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let free = buffer.initialize_unfilled();
        let result = ready(|| match &self.0.stream {
            Stream::Tcp(stream) => (&mut &*stream).read(free),
            Stream::Unix(stream) => (&mut &*stream).read(free),
        });
        result.map_ok(|count| buffer.advance(count))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = ready(|| match &self.0.stream {
            Stream::Tcp(stream) => (&mut &*stream).write(bytes),
            Stream::Unix(stream) => (&mut &*stream).write(bytes),
        });
        self.0.full.store(result.is_pending(), Ordering::Relaxed);
        result
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match &self.0.stream {
            Stream::Tcp(stream) => stream.shutdown(std::net::Shutdown::Write),
            Stream::Unix(stream) => stream.shutdown(std::net::Shutdown::Write),
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[test]
    fn nobody_waits_for_an_answer_longer_than_the_deadline() {
        let (one, other) = UnixStream::pair().expect("the system has sockets");
        let (mut here, mut there) = (Socket::unix(one).expect("a socket"), Socket::unix(other).expect("a socket"));
        let wait = here.clone();
        let within = Duration::from_millis(20);
        let mut byte = [0];
        assert!(wait.run(within, here.read_exact(&mut byte)).expect("no error").is_none(), "nothing comes");
        let other_end = there.clone();
        other_end.run(within, there.write_all(b"x")).expect("no error").expect("there is room").expect("is written");
        wait.run(within, here.read_exact(&mut byte)).expect("no error").expect("in time").expect("a byte");
        assert_eq!(&byte, b"x");
        // And where nobody reads, writing ends too.
        let much = vec![0; 64 << 20];
        assert!(other_end.run(within, there.write_all(&much)).expect("no error").is_none(), "nobody reads");
    }
}
