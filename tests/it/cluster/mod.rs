//! Several nodes on one PostgreSQL, in one process: when a call has returned on one, no other acts on what was before it.

mod joining;
mod keys;
mod revoking;
mod support;
