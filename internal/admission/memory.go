package admission

// Memory answers in Redis's place, for tests and simulation, by the same rules.
type Memory struct{}

// NewMemory is an empty server.
func NewMemory() *Memory { return &Memory{} }
