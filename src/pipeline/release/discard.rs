//! Rows of the quarantine are given up.

use uuid::Uuid;

use crate::config::TableSpec;
use crate::error::Result;
use crate::pipeline::Pipeline;
use crate::pipeline::release::{
    ChosenRows, MOST_ATTEMPTS, WAIT, is_by, is_worth_another, told_at_once,
};
use crate::quarantine::QuarantinedRow;

impl Pipeline {
    /// Gives up rows of the quarantine: they count no more. That is written down beside the table
    /// first. Returns what was given up.
    ///
    /// # Errors
    /// As [`Self::release`].
    pub async fn discard_quarantined(
        &self,
        spec: &TableSpec,
        rows: &ChosenRows,
    ) -> Result<Vec<QuarantinedRow>> {
        let mut all = Vec::new();
        loop {
            let part = Box::pin(self.discard_part(spec, rows)).await?;
            if part.is_empty() {
                return Ok(all);
            }
            tracing::warn!(table = %spec.source, rows = part.len(), "rows in quarantine are given up");
            all.extend(part);
        }
    }

    /// Gives up as many rows as one commit can tell of.
    async fn discard_part(
        &self,
        spec: &TableSpec,
        chosen: &ChosenRows,
    ) -> Result<Vec<QuarantinedRow>> {
        let mut attempts = 0;
        let mut lost: Option<(Uuid, Vec<QuarantinedRow>)> = None;
        loop {
            let table = self.settled(spec).await?;
            if let Some((attempt, given_up)) = lost.take()
                && is_by(&table, attempt)
            {
                self.settle_after(spec, table).await?;
                return Ok(given_up);
            }
            let mut rows = self.chosen_rows(spec, &table, chosen).await?;
            rows.truncate(told_at_once(&rows));
            if rows.is_empty() {
                return Ok(rows);
            }
            if attempts == 0 {
                self.remember_discard(spec, &rows).await?;
            }
            let attempt = self.clock().attempt_id();
            let counted = rows.len() - self.uncounted(spec, &table, &rows).await?.len();
            match self.commit_discard(&table, attempt, &rows, counted as u64).await {
                Ok(table) => {
                    self.settle_after(spec, table).await?;
                    return Ok(rows);
                }
                Err(error) if is_worth_another(&error) && attempts < MOST_ATTEMPTS => {
                    lost = Some((attempt, rows));
                    attempts += 1;
                    tokio::time::sleep(self.clock().jitter(WAIT)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}
