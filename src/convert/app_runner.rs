//! App Runner services, which are converted as the services of ECS that they are equal to.

use super::draft::{Drafter, Work};
use crate::{
    app_runner::{placed, validate_app_runner},
    diagnostic::Diagnostics,
    input::AppRunnerInput,
    print::{self, Ordered},
};

impl Drafter<'_> {
    pub(super) fn app_runner(
        &self,
        input: &AppRunnerInput,
        work: &Work<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Result<Vec<Ordered>, print::Error> {
        let checked = match validate_app_runner(input, work.resources.settings) {
            Ok(checked) => checked,
            Err(errors) => {
                diagnostics.append(errors);
                return Ok(Vec::new());
            }
        };
        diagnostics.append(checked.notes);
        let mut found = Diagnostics::new();
        let objects = self.service(&checked.input, &checked.service, work, &mut found)?;
        diagnostics.append(placed(&found, input));
        Ok(objects)
    }
}
