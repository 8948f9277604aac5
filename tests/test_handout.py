from exporting import home_with, night

from tuning.exports.handout import chosen, readme
from tuning.reports.winners import winners


def test_on_which_fresh_seeds_the_config_diverged_is_said_before_its_means(tmp_path):
    found = winners(home_with(tmp_path / "home", night(fresh={1: 0.5, 2: None})).tracking_uri, "night", 1)
    said = "It diverged on 1 of 2 fresh seeds (seed 2): its means are of the others, which survived. On 1 fresh seeds "
    assert said in chosen(found).confirmed and said in readme(found, None, None, "")
