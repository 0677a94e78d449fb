package main

import (
	"io"
	"strings"
	"testing"
	"time"
)

// TestTallyWantsTwo: a run of three sites or more has to have killed beside a second instance.
func TestTallyWantsTwo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sites, two int
		only       string
		fails      bool
	}{{3, 0, "", true}, {3, 1, "", false}, {2, 0, "", false}, {3, 0, "publish.", false}} {
		y := newTally(&options{out: io.Discard, only: c.only})
		y.all["publish.commit.before"], y.counted["publish.commit.before"], y.two = 5, 5, c.two
		y.facts, y.verifies, y.longest = 100, c.sites, time.Second
		y.recovered("restart", time.Second, time.Second)
		err := y.print(nil, c.sites, time.Minute)
		if got := err != nil && strings.Contains(err.Error(), "with two instances"); got != c.fails || err != nil != c.fails {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
