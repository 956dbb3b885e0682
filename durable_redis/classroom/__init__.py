"""The classroom: what makes the notebooks a textbook whose reader predicts first.

    from durable_redis.classroom import check, ledger, observe, predict, quiz

    predict("a kill", "How many acknowledged writes are gone?", options=[0, 4, 9])   # before the run
    observe("a kill", kill.receipt().lost)                                           # after it
    run.console(tasks=tasks("00"))                                                   # the tasks of a chapter's lab
    check("at-risk", at_risk)                                                        # an exercise
    adversary(run, "power loss").at(1_500)                                           # find the worst instant yourself
    hunt(1)                                                                          # a planted bug, in an envelope
    quiz("00")                                                                       # the exit questions of a chapter
    ledger()                                                                         # what was predicted, and came true

Three laws.  *The run is the judge*: no right answer is written down here, each is computed by a run.  *Nobody meets a
traceback* for an answer, of whatever kind: an answer earns a sentence.  *A page without a kernel says the same*: every
display has a text that is the same in every run, and never stores a widget; ipywidgets is imported when something is
displayed, and not needed at all.

Reading order: `prediction`, `ledger`, `calibration`, `kinds`, `checking`, `quiz`, `chapters` (a table of exercises and
exit questions a chapter), `trials` and `incidents` (the runs that judge them), `labs` (the tasks of the consoles),
`conditions` (which tick them), `adversary`, `hunts`, `orders`, `forms` (the widgets), `picture`.
"""

from durable_redis.classroom.adversary import Adversary, adversary
from durable_redis.classroom.checking import Checked, Exercise, Wrong, check
from durable_redis.classroom.errors import ClassroomError
from durable_redis.classroom.hunts import Hunt, hunt
from durable_redis.classroom.labs import tasks
from durable_redis.classroom.ledger import Ledger, ledger
from durable_redis.classroom.prediction import Observation, Prediction, observe, predict
from durable_redis.classroom.quiz import Question, Quiz, quiz

__all__ = [
    "Adversary",
    "Checked",
    "ClassroomError",
    "Exercise",
    "Hunt",
    "Ledger",
    "Observation",
    "Prediction",
    "Question",
    "Quiz",
    "Wrong",
    "adversary",
    "check",
    "hunt",
    "ledger",
    "observe",
    "predict",
    "quiz",
    "tasks",
]
