"""Everything that can happen to a cluster, for a short time; `make soak` is the long run."""

from soak import soak
from support import main, test


@test
def one_order_through_kills_pauses_cuts_and_wipes(story):
    soak(story, seconds=20)


if __name__ == "__main__":
    main()
