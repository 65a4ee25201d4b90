//! Methods that read.

use crate::orm::call::Method;

/// The methods of this file.
pub const METHODS: &[Method] = &[];
