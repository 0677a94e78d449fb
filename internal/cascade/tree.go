package cascade

import (
	"cmp"
	"slices"
)

// Cascade is one propagation tree. Nodes[0] is the root; a node stands after its parent.
type Cascade struct {
	Name  string // of the file it was read from, or is to be written to
	Nodes []Node
}

// Node is one user of a cascade.
type Node struct {
	ID     int64
	Parent int32 // index into Nodes, -1 for the root
	Depth  int32 // edges from the root
	AtMS   int64 // since the root, never below the parent's
}

// Root is the id of the seed user, which names the chain.
func (c *Cascade) Root() int64 { return c.Nodes[0].ID }

// Joins is the number of edges.
func (c *Cascade) Joins() int { return len(c.Nodes) - 1 }

// SpanMS is the time from the root to the last node.
func (c *Cascade) SpanMS() int64 {
	var last int64
	for i := range c.Nodes {
		last = max(last, c.Nodes[i].AtMS)
	}
	return last
}

// children counts the edges below each node.
func (c *Cascade) children() []int32 {
	n := make([]int32, len(c.Nodes))
	for _, v := range c.Nodes[1:] {
		n[v.Parent]++
	}
	return n
}

// inTime lists the node indexes by time; ties keep their order, so a parent stays before its children (K2).
func (c *Cascade) inTime() []int32 {
	order := make([]int32, len(c.Nodes))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int {
		return cmp.Compare(c.Nodes[a].AtMS, c.Nodes[b].AtMS)
	})
	return order
}
