//! Progress, for who watches: on a terminal, on standard error, and gone when it is done.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::Output;

/// Rows of a terminal that does not say how many it has.
const ROWS: usize = 24;

/// How far something is; nothing where nobody watches.
pub struct Progress(ProgressBar);

impl Progress {
    /// Of so many steps; nothing for no more than a screenful.
    pub fn of(output: &Output, steps: usize, what: &'static str) -> Self {
        if steps <= rows() {
            return Self(ProgressBar::hidden());
        }
        let style = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} {msg}, {eta} left");
        Self::new(output, Some(u64::try_from(steps).unwrap_or(u64::MAX)), style, what)
    }

    /// Of something whose end is not known.
    pub fn waiting(output: &Output, what: &'static str) -> Self {
        Self::new(output, None, ProgressStyle::with_template("{spinner} {msg} {elapsed}"), what)
    }

    /// Of things that are counted as they come.
    pub fn counting(output: &Output, what: &'static str) -> Self {
        Self::new(output, None, ProgressStyle::with_template("{spinner} {human_pos} {msg}"), what)
    }

    fn new(
        output: &Output,
        steps: Option<u64>,
        style: Result<ProgressStyle, indicatif::style::TemplateError>,
        what: &'static str,
    ) -> Self {
        let Ok(style) = style else { return Self(ProgressBar::hidden()) };
        if !output.is_watched() {
            return Self(ProgressBar::hidden());
        }
        let bar =
            ProgressBar::with_draw_target(steps, ProgressDrawTarget::stderr()).with_style(style).with_message(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// So far.
    pub fn at(&self, done: usize) {
        self.0.set_position(u64::try_from(done).unwrap_or(u64::MAX));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn rows() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stderr());
    size.map_or(ROWS, |size| usize::from(size.ws_row).max(1))
}
