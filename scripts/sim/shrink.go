package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// keep writes a failing seed down, with its schedule shrunk to the faults that it takes.
func (o *options) keep(ctx context.Context, r *result, out io.Writer) {
	oracle, _, _ := strings.Cut(r.Violations[0], ":")
	best, drop := *r, []string(nil)
	if oracle != endless { // each try of such a one takes as long as a seed may
		best, drop = o.shrink(ctx, r, oracle)
	}
	text, err := json.MarshalIndent(map[string]any{
		"seed": r.Seed, "drop": strings.Join(drop, ","), "trace": best.Trace, "violations": best.Violations, "faults": best.Faults,
	}, "", "  ")
	if err != nil {
		return
	}
	path := filepath.Join(o.dir, fmt.Sprintf("seed-%d.json", r.Seed))
	if os.WriteFile(path, append(text, '\n'), 0o644) == nil { //nolint:gosec // a log
		fmt.Fprintf(out, "seed %d fails with %d of its %d faults: %s\n", r.Seed, len(best.Faults), len(r.Faults), path)
		fmt.Fprintf(out, "replay: make sim SEED=%d DROP=%s%s\n", r.Seed, strings.Join(drop, ","), o.with())
	}
}

// shrink drops faults one at a time while the seed still fails alike.
func (o *options) shrink(ctx context.Context, r *result, oracle string) (best result, drop []string) {
	fails := func(drop []string) (result, bool) {
		got := o.chunkOf(ctx, span{r.Seed, 1}, io.Discard, "-sim.drop", strings.Join(drop, ","))
		if len(got) != 1 {
			return result{}, false
		}
		return got[0], slices.ContainsFunc(got[0].Violations, func(v string) bool { return strings.HasPrefix(v, oracle+":") })
	}
	best = *r
	for _, f := range r.Faults {
		var index struct{ Index int }
		if json.Unmarshal(f, &index) != nil || ctx.Err() != nil { //nolint:musttag // both ends are this program's own
			continue
		}
		try := append(slices.Clone(drop), strconv.Itoa(index.Index))
		if got, ok := fails(try); ok {
			best, drop = got, try
		}
	}
	return best, drop
}
