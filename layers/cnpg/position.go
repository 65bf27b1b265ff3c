package cnpg

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// An lsn is a position in PostgreSQL's write-ahead log, in bytes from its beginning.
type lsn uint64

// parseLSN reads PostgreSQL's spelling, two hexadecimal halves: 16/B374D848.
func parseLSN(s string) (lsn, error) {
	high, low, _ := strings.Cut(s, "/")
	h, err := strconv.ParseUint(high, 16, 32)
	if err != nil {
		return 0, fmt.Errorf("log position %q: want two hexadecimal numbers, as 16/B374D848", s)
	}
	l, err := strconv.ParseUint(low, 16, 32)
	if err != nil {
		return 0, fmt.Errorf("log position %q: want two hexadecimal numbers, as 16/B374D848", s)
	}
	return lsn(h<<32 | l), nil
}

func (l lsn) String() string { return fmt.Sprintf("%X/%X", uint32(l>>32), uint32(l)) }

// An instance is what the manager of an instance says of its PostgreSQL (/pg/status).
type instance struct {
	IsPrimary   bool   `json:"isPrimary"` // by its files, where PostgreSQL does not answer
	Stopping    bool   `json:"mightBeUnavailable"`
	Unanswered  string `json:"mightBeUnavailableMaskedError"` // what PostgreSQL said when it was asked while it may be down
	CurrentLSN  string `json:"currentLsn"`                    // of a primary
	ReceivedLSN string `json:"receivedLsn"`                   // of a replica
	ReplayLSN   string `json:"replayLsn"`                     // of a replica
	Timeline    int    `json:"timeLineID"`
	Receiving   bool   `json:"isWalReceiverActive"`
}

// down reports whether its PostgreSQL accepts nobody.
func (i instance) down() bool { return i.Stopping && i.Unanswered != "" }

// A position is how far the data of a Cluster has come.
type position struct {
	timeline int
	received lsn // all that is here
	replayed lsn // of which this much can be read
}

// position is that of an instance that runs.
func (i instance) position() (position, error) {
	if i.IsPrimary {
		at, err := parseLSN(i.CurrentLSN)
		return position{i.Timeline, at, at}, err
	}
	replayed, err := parseLSN(i.ReplayLSN)
	if err != nil {
		return position{}, err
	}
	received, err := parseLSN(i.ReceivedLSN)
	if err != nil {
		received = 0 // nothing was streamed since it started; the rest came from the archive
	}
	return position{i.Timeline, max(received, replayed), replayed}, nil
}

// streamed is up to where a replica has come by streaming, if it streams; 0 if not.
func (i instance) streamed() lsn {
	at, err := parseLSN(i.ReceivedLSN)
	if err != nil || i.IsPrimary || !i.Receiving {
		return 0
	}
	return at
}

// A token is what CloudNativePG writes into one: the checkpoint that the demoted
// primary shut down with.
type token struct {
	Timeline string `json:"latestCheckpointTimelineID"`
	System   string `json:"databaseSystemIdentifier"`
	Redo     string `json:"latestCheckpointREDOLocation"`
}

// readToken takes a token apart.
func readToken(text string) (timeline int, at lsn, system string, err error) {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return 0, 0, "", fmt.Errorf("read the demotion token: %w", err)
	}
	var t token
	if err := json.Unmarshal(data, &t); err != nil {
		return 0, 0, "", fmt.Errorf("read the demotion token: %w", err)
	}
	if timeline, err = strconv.Atoi(t.Timeline); err != nil {
		return 0, 0, "", fmt.Errorf("read the demotion token: timeline %q: want a number", t.Timeline)
	}
	if at, err = parseLSN(t.Redo); err != nil {
		return 0, 0, "", fmt.Errorf("read the demotion token: %w", err)
	}
	return timeline, at, t.System, nil
}
