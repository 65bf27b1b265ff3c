package lease

// A ReasonCode names, in code, logs, metrics and docs alike, why something is.
type ReasonCode string
