// Package probe tells, try by try, whether a TCP service can be reached: by new connections, and by one that is kept.
package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

const (
	// every is how soon a try follows the one before.
	every = 20 * time.Millisecond

	// patience is how long a try waits for its answer. A packet that was dropped is not waited for.
	patience = 2 * time.Second
)

// A Try is one attempt to get an answer.
type Try struct {
	Begun time.Time
	Ended time.Time
	From  string // who has answered; empty if nobody has
	Error string // why there was no answer
}

// Dial makes a connection to the service.
type Dial func(ctx context.Context) (net.Conn, error)

// Serve answers under a name whatever tries, until its listener is closed.
func Serve(listener net.Listener, name string) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			lines := bufio.NewScanner(conn)
			for lines.Scan() {
				if _, err := fmt.Fprintf(conn, "%s %s\n", lines.Text(), name); err != nil {
					return
				}
			}
		}()
	}
}

// New makes a new connection for each try, until ctx ends.
func New(ctx context.Context, dial Dial, tell func(Try)) {
	for n := 0; ; n++ {
		try := Try{Begun: time.Now()}
		c, err := connect(ctx, dial)
		if err == nil {
			try.From, err = c.ask(n)
			c.conn.Close()
		}
		if !finish(ctx, try, err, tell) {
			return
		}
	}
}

// Hold makes one connection and keeps it for all tries, until ctx ends or the connection does.
func Hold(ctx context.Context, dial Dial, tell func(Try)) {
	begun := time.Now()
	c, err := connect(ctx, dial)
	if err != nil {
		finish(ctx, Try{Begun: begun}, err, tell)
		return
	}
	defer c.conn.Close()
	for n := 0; ; n++ {
		try := Try{Begun: time.Now()}
		try.From, err = c.ask(n)
		if !finish(ctx, try, err, tell) {
			return
		}
		if timeout := net.Error(nil); err != nil && !(errors.As(err, &timeout) && timeout.Timeout()) {
			return // the connection has ended
		}
	}
}

// finish tells of a try and waits until the next one is due.
func finish(ctx context.Context, try Try, err error, tell func(Try)) bool {
	if ctx.Err() != nil {
		return false // what has ended the try may be that
	}
	try.Ended = time.Now()
	if err != nil {
		try.Error = err.Error()
	}
	tell(try)
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Until(try.Begun.Add(every))):
		return true
	}
}

type connection struct {
	conn net.Conn
	rest string // of an answer that has not all arrived
}

func connect(ctx context.Context, dial Dial) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := dial(ctx)
	if err != nil {
		return nil, err
	}
	return &connection{conn: conn}, nil
}

// ask sends a number and waits for the answer to it. Answers to what was asked before may come late, and are passed over.
func (c *connection) ask(n int) (from string, err error) {
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(c.conn, "%d\n", n); err != nil {
		return "", err
	}
	buffer := make([]byte, 1024)
	for {
		for {
			line, rest, whole := strings.Cut(c.rest, "\n")
			if !whole {
				break
			}
			c.rest = rest
			if number, name, _ := strings.Cut(line, " "); number == fmt.Sprint(n) {
				return name, nil
			}
		}
		got, err := c.conn.Read(buffer)
		if err != nil {
			return "", err
		}
		c.rest += string(buffer[:got])
	}
}
