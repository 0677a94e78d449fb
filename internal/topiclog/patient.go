package topiclog

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// settleMax is how long what passes by itself may take: a transaction times out after 10 s.
const settleMax = 20 * time.Second

// patiently asks until there is no error, or one that does not pass by itself. It gives up after 20 s, or when its caller's context ends, whose error it
// then returns with the last one.
func patiently(caller context.Context, passes func(error) bool, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(caller, settleMax)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil || !passes(err) {
			return err
		}
		if !wait(ctx, 10*time.Millisecond) {
			if end := caller.Err(); end != nil {
				return fmt.Errorf("%w: %w", end, err)
			}
			return fmt.Errorf("%w, for as long as was waited (%v at most)", err, settleMax)
		}
	}
}

// passing says that what is wrong passes by itself: a leader that is being elected, an open transaction, a connection that was cut, a broker that
// has answered before and is away.
func passing(err error) bool {
	dial, ok := errors.AsType[*net.OpError](err)
	return kerr.IsRetriable(err) || kgo.IsRetryableBrokerErr(err) || ok && dial.Op == "dial"
}

// wait pauses for d; false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
