//! Several nodes on one PostgreSQL.
//!
//! * [`revoking`], [`joining`], [`keys`], [`line`](mod@line), [`notices`]: in one process; when a call has returned on one node, no other acts on what was
//!   before it.
//! * [`commands`]: what the command line says when a node is cut off.
//! * [`faults`]: real processes, and everything that can go wrong between them, by [`fleet`], [`proxy`] and [`postgres`];
//!   [`checker`] asks all nodes without a pause and judges each answer; [`runs`] says what a run has done.
//! * [`failover`]: the same with a standby that takes over from a database whose plug is pulled.
//! * [`example`]: the script of the documentation that starts three.
//! * [`doors`]: what each door of a real node answers, and what the other node says then.

mod checker;
mod client;
mod commands;
mod doors;
mod example;
mod failover;
mod faults;
mod fleet;
mod joining;
mod keys;
mod line;
mod notices;
mod postgres;
mod proxy;
mod revoking;
mod runs;
mod support;
