package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"hongbao/internal/cascade"
	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// sendPace is how often a sender with a rate looks at the clock.
const sendPace = 2 * time.Millisecond

// parseRate reads --rate: events per second, or max (0).
func parseRate(text string) (float64, error) {
	if text == "max" {
		return 0, nil
	}
	rate, err := strconv.ParseFloat(text, 64)
	if err != nil || !(rate > 0) {
		return 0, fmt.Errorf("rate %q: want events per second, or max", text)
	}
	return rate, nil
}

// sender writes a stream of records to invite.events.
type sender struct {
	log  *topiclog.Client
	rate float64 // events per second, 0 as fast as they are taken
	bar  *progressbar.ProgressBar
	late time.Duration // how far sending fell behind the intended times at most
}

// newBar is a progress bar on standard error; it draws nothing where that is no terminal.
func newBar(w io.Writer, total int64, what string) *progressbar.ProgressBar {
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w), progressbar.OptionSetVisibility(isTerminal(w)), progressbar.OptionSetDescription(what), progressbar.OptionShowCount(),
		progressbar.OptionShowIts(), progressbar.OptionThrottle(200*time.Millisecond), progressbar.OptionClearOnFinish())
}

// send returns how many records were acknowledged.
func (s *sender) send(ctx context.Context, records iter.Seq[*cascade.Record]) (n int64, err error) {
	w, err := s.log.Writer(ctx, topiclog.WriterConfig{}, schemas.TopicEvents)
	if err != nil {
		return 0, err
	}
	defer w.Close()
	began := time.Now()
	for r := range records {
		if err := s.wait(ctx, began, n); err != nil {
			return n, err
		}
		if err := w.Write(ctx, schemas.TopicEvents, r.Partition, r.Key, r.Value, headersOf(r)); err != nil {
			return n, err
		}
		n++
		if s.bar != nil {
			_ = s.bar.Add(1) // drawing is all that can fail
		}
	}
	if err := w.Flush(ctx); err != nil {
		return n, err
	}
	if s.bar != nil {
		_ = s.bar.Finish()
	}
	return n, nil
}

// wait keeps the intended time of record n: began + n / rate, whatever the ones before it took.
func (s *sender) wait(ctx context.Context, began time.Time, n int64) error {
	if s.rate == 0 {
		return nil
	}
	due := began.Add(time.Duration(float64(n) / s.rate * float64(time.Second)))
	ahead := time.Until(due)
	s.late = max(s.late, -ahead)
	if ahead < sendPace {
		return nil
	}
	t := time.NewTimer(ahead)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// headersOf copies the headers, which the next record reuses.
func headersOf(r *cascade.Record) []topiclog.Header {
	headers := make([]topiclog.Header, len(r.Headers))
	for i, h := range r.Headers {
		headers[i] = topiclog.Header{Key: h.Key, Value: h.Value}
	}
	return headers
}

// isTerminal says whether somebody watches: a bar in a log file is noise.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
