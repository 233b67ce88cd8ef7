//! The memory and the tables of one call.

use relata_package::Limits;
use wasmtime::ResourceLimiter;

use crate::config::TABLE_ELEMENTS;

/// Memory and tables of a call, and whether the last wish was refused.
pub(crate) struct Resources {
    limit_bytes: usize,
    bytes: usize,
    peak_bytes: usize,
    elements: usize,
    pub(crate) memory_refused: bool,
    pub(crate) table_refused: bool,
}

impl Resources {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            limit_bytes: (limits.memory_mib as usize) << 20,
            bytes: 0,
            peak_bytes: 0,
            elements: 0,
            memory_refused: false,
            table_refused: false,
        }
    }

    pub(crate) fn peak_bytes(&self) -> usize {
        self.peak_bytes
    }
}

impl ResourceLimiter for Resources {
    // A refusal is `false` and not an error: a guest with a garbage collector
    // can make room and go on. If it stops instead, the flag tells why.
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.bytes.saturating_sub(current).saturating_add(desired);
        if total > self.limit_bytes {
            self.memory_refused = true;
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.bytes = total;
        self.peak_bytes = self.peak_bytes.max(total);
        self.memory_refused = false;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.elements.saturating_sub(current).saturating_add(desired);
        if total > TABLE_ELEMENTS {
            self.table_refused = true;
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.elements = total;
        self.table_refused = false;
        Ok(true)
    }
}
