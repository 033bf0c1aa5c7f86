//! The API as OpenAPI 3.1, made from the code.

use utoipa::OpenApi;

use crate::wire;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Baton's room",
        description = "What the page of a handoff reads and says. Instants are RFC 3339 in UTC, durations seconds; \
                       refusals are problem details (RFC 9457).",
        license(name = "Apache-2.0")
    ),
    components(schemas(
        wire::Action,
        wire::Answered,
        wire::ApprovalsView,
        wire::BackView,
        wire::Because,
        wire::BlockerView,
        wire::Collected,
        wire::ConfidenceView,
        wire::CriterionView,
        wire::DecisionView,
        wire::DeclinedView,
        wire::DigestsView,
        wire::EndedView,
        wire::ExpectationView,
        wire::FeedLine,
        wire::Feeds,
        wire::FenceView,
        wire::ForecastView,
        wire::FoundState,
        wire::HandoffRow,
        wire::HandoffTurn,
        wire::HandoffView,
        wire::Handoffs,
        wire::Hello,
        wire::History,
        wire::HowMet,
        wire::LegView,
        wire::LessonMet,
        wire::LessonView,
        wire::Me,
        wire::MeasureTerms,
        wire::MeasureView,
        wire::Measures,
        wire::MineView,
        wire::ModeView,
        wire::NewLesson,
        wire::Entered,
        wire::OpenedFrame,
        wire::OutputFrame,
        wire::OutputView,
        wire::ParityRow,
        wire::ParityView,
        wire::PersonView,
        wire::PhaseView,
        wire::PlaceState,
        wire::PlaceView,
        wire::PlanRecord,
        wire::PlanStep,
        wire::PlanView,
        wire::Planned,
        wire::PointOpen,
        wire::PollView,
        wire::Problem,
        wire::QuestionView,
        wire::Report,
        wire::ReviewStep,
        wire::ReviewView,
        wire::RoleView,
        wire::RunKindView,
        wire::RunPatch,
        wire::RunRow,
        wire::RunView,
        wire::RunWord,
        wire::StepWord,
        wire::Runs,
        wire::Said,
        wire::SaidView,
        wire::SeatAsked,
        wire::SeatTaken,
        wire::SeatView,
        wire::SeatsFrame,
        wire::SpanView,
        wire::StatusView,
        wire::StepView,
        wire::SurpriseView,
        wire::Times,
        wire::Valued,
        wire::Via,
        wire::VoteView,
        wire::Voted,
        wire::WaitView,
        wire::WatchView,
        wire::WordOnStep
    ))
)]
struct Api;

/// What the description says before the routes add theirs: the shapes that only
/// the stream carries, too.
pub(crate) fn base() -> utoipa::openapi::OpenApi {
    Api::openapi()
}

/// The document, as pretty JSON that ends with a line break.
pub fn document() -> String {
    let (_, api) = crate::routes::api().split_for_parts();
    let mut text = api.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::document;

    /// `UPDATE_EXPECT=1` blesses the file.
    #[test]
    fn the_file_is_made_from_the_code() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(file, document()).unwrap();
        }
        let kept = fs::read_to_string(file).unwrap();
        assert!(kept == document(), "`cargo bless` makes openapi.json anew");
    }
}
