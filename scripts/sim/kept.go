package main

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"slices"
	"strconv"
)

// keptFile lists the seeds that once found something.
const keptFile = "internal/sim/kept_test.go"

// keptSeeds reads the list, so that it is known which of them are due.
func keptSeeds(path string) ([]uint64, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		return nil, fmt.Errorf("read the kept seeds: %w", err)
	}
	var seeds []uint64
	ast.Inspect(file, func(n ast.Node) bool {
		list, ok := n.(*ast.CompositeLit)
		if !ok || len(list.Elts) == 0 {
			return true
		}
		if number, ok := list.Elts[0].(*ast.BasicLit); ok && number.Kind == token.INT {
			if seed, err := strconv.ParseUint(number.Value, 10, 64); err == nil {
				seeds = append(seeds, seed)
			}
		}
		return true
	})
	if len(seeds) == 0 {
		return nil, fmt.Errorf("%s lists no seed", path)
	}
	return seeds, nil
}

// playKept plays the kept seeds: all in one process, and those that it did not come to by themselves.
func (o *options) playKept(ctx context.Context) []result {
	var all []result
	for _, r := range o.chunkOf(ctx, span{}, io.Discard, "-sim.kept") {
		if slices.Contains(o.kept, r.Seed) {
			all = append(all, r)
		}
	}
	for _, seed := range o.kept {
		if !slices.ContainsFunc(all, func(r result) bool { return r.Seed == seed }) {
			all = append(all, o.whole(ctx, span{seed, 1})...)
		}
	}
	return all
}
