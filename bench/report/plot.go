package main

import (
	"fmt"
	"image/color"
	"math"
	"os"

	stdfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/openova-io/failoverd/bench"
)

// The colours are told apart by those who don't see all of them, and by how dark they are.
var (
	ink   = color.NRGBA{0x22, 0x26, 0x2e, 0xff}
	faint = color.NRGBA{0x8a, 0x91, 0x9e, 0xff}
	grid  = color.NRGBA{0xe3, 0xe6, 0xeb, 0xff}
	own   = color.NRGBA{0x00, 0x6d, 0xa3, 0xff} // failoverd
	other = color.NRGBA{0xb8, 0x6a, 0x00, 0xff}
	bad   = color.NRGBA{0xc4, 0x1e, 0x3a, 0xff}
	good  = color.NRGBA{0xd9, 0xef, 0xe1, 0xff}
)

// colorOf is that of a system.
func colorOf(system string) color.NRGBA {
	if len(system) >= 9 && system[:9] == "failoverd" {
		return own
	}
	return other
}

func style(size vg.Length, c color.Color, x text.XAlignment) text.Style {
	return text.Style{
		Color: c, Font: font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, size),
		XAlign: x, YAlign: draw.YCenter, Handler: plot.DefaultTextHandler,
	}
}

func bold(s text.Style) text.Style {
	s.Font.Weight = stdfont.WeightBold
	return s
}

// A drawing is a canvas whose origin is at the top left.
type drawing struct {
	draw.Canvas
	img *vgimg.Canvas
}

func newDrawing(width, height vg.Length) drawing {
	img := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(160), vgimg.UseBackgroundColor(color.White))
	return drawing{draw.New(img), img}
}

func (d drawing) at(x, y vg.Length) vg.Point { return vg.Point{X: x, Y: d.Max.Y - y} }

func (d drawing) text(x, y vg.Length, s text.Style, words string) { d.FillText(s, d.at(x, y), words) }

func (d drawing) line(x1, y1, x2, y2, width vg.Length, c color.Color, dashes ...vg.Length) {
	d.StrokeLines(draw.LineStyle{Color: c, Width: width, Dashes: dashes}, []vg.Point{d.at(x1, y1), d.at(x2, y2)})
}

func (d drawing) box(x, y, width, height vg.Length, c color.Color) {
	d.FillPolygon(c, []vg.Point{d.at(x, y), d.at(x+width, y), d.at(x+width, y+height), d.at(x, y+height)})
}

func (d drawing) dot(x, y, radius vg.Length, c color.Color) {
	d.DrawGlyph(draw.GlyphStyle{Color: c, Radius: radius, Shape: draw.CircleGlyph{}}, d.at(x, y))
}

func (d drawing) write(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := (vgimg.PngCanvas{Canvas: d.img}).WriteTo(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

const (
	width   = 27 * vg.Centimeter
	margin  = 0.7 * vg.Centimeter
	rowHigh = 0.95 * vg.Centimeter
)

const nameGap = .35 * vg.Centimeter

var nameStyle = style(11, ink, draw.XRight)

// plotGaps draws every gap after a holder's death, by system, with the median and the bound. The axis is logarithmic, since there are
// systems with a TTL of 3 s and of 30 s.
func plotGaps(all bench.Rounds, path string) error {
	type row struct {
		name  string
		gaps  []float64
		bound float64
	}
	var rows []row
	low, high := math.Inf(1), 0.0
	for _, e := range all.Entries {
		gaps := figures(judged(all, e.Name, bench.Killed), gap)
		if len(gaps) == 0 {
			continue
		}
		rows = append(rows, row{e.Name, gaps, e.Bound})
		low, high = min(low, gaps[0]), max(high, gaps[len(gaps)-1], e.Bound)
	}
	if len(rows) == 0 {
		return nil
	}
	low, high = max(low, .1)/1.3, high*1.3
	const head = 2.1 * vg.Centimeter
	height := head + vg.Length(len(rows))*rowHigh + 1.5*vg.Centimeter
	d := newDrawing(width, height)
	d.text(margin, .75*vg.Centimeter, bold(style(15, ink, draw.XLeft)), "The holder dies: how long until another one acts")
	d.legend(margin, 1.5*vg.Centimeter)
	left, right := nameColumn(all), width-margin-.4*vg.Centimeter
	x := func(s float64) vg.Length {
		return left + vg.Length(math.Log(max(s, low)/low)/math.Log(high/low))*(right-left)
	}
	bottom := head + vg.Length(len(rows))*rowHigh
	for _, tick := range []float64{.1, .2, .5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 600} {
		if tick < low || tick > high {
			continue
		}
		d.line(x(tick), head, x(tick), bottom, .6, grid)
		d.text(x(tick), bottom+.4*vg.Centimeter, style(10, faint, draw.XCenter), fmt.Sprintf("%g s", tick))
	}
	d.text((left+right)/2, bottom+1*vg.Centimeter, style(10, faint, draw.XCenter), "seconds, on a logarithmic scale")
	for i, r := range rows {
		y := head + (vg.Length(i)+.5)*rowHigh
		c := colorOf(r.name)
		d.text(left-nameGap, y, nameStyle, r.name)
		d.line(left, y+rowHigh/2, right, y+rowHigh/2, .4, grid)
		for k, g := range r.gaps {
			// Side by side by their order, so that equal ones are seen: the golden ratio spreads any number of them.
			up := math.Mod(float64(k)*.618034, 1) - .5
			d.dot(x(g), y+vg.Length(up)*rowHigh*.5, 3, color.NRGBA{c.R, c.G, c.B, 0x90})
		}
		m := x(quantile(r.gaps, .5))
		d.line(m, y-rowHigh*.36, m, y+rowHigh*.36, 2, c)
		if r.bound > 0 {
			d.line(x(r.bound), y-rowHigh*.4, x(r.bound), y+rowHigh*.4, 1.6, ink, 3, 2)
		}
	}
	return d.write(path)
}

// nameColumn is where the column of the systems' names ends.
func nameColumn(all bench.Rounds) (right vg.Length) {
	for _, e := range all.Entries {
		right = max(right, nameStyle.Width(e.Name))
	}
	return margin + right + nameGap
}

// legend says what the marks mean.
func (d drawing) legend(x, y vg.Length) {
	say := func(words string) {
		s := style(10, faint, draw.XLeft)
		d.text(x, y, s, words)
		x += s.Width(words) + .7*vg.Centimeter
	}
	d.dot(x+3, y, 3, faint)
	x += .3 * vg.Centimeter
	say("one round")
	d.line(x, y-.25*vg.Centimeter, x, y+.25*vg.Centimeter, 2, faint)
	x += .2 * vg.Centimeter
	say("median")
	d.line(x, y-.25*vg.Centimeter, x, y+.25*vg.Centimeter, 1.6, ink, 3, 2)
	x += .2 * vg.Centimeter
	say("bound, from the last renewal on")
}

// plotOverlaps draws a field for each system and scenario: in how many rounds two were at it at once, and for how long.
func plotOverlaps(all bench.Rounds, path string) error {
	var systems []bench.Entry
	for _, e := range all.Entries {
		for _, s := range faults {
			if len(judged(all, e.Name, s)) > 0 {
				systems = append(systems, e)
				break
			}
		}
	}
	if len(systems) == 0 {
		return nil
	}
	const (
		head   = 3.1 * vg.Centimeter
		cellH  = 1.0 * vg.Centimeter
		gutter = .6 * vg.Centimeter
	)
	height := head + vg.Length(len(systems))*cellH + .8*vg.Centimeter
	d := newDrawing(width, height)
	d.text(margin, .75*vg.Centimeter, bold(style(15, ink, draw.XLeft)), "Two at once: in how many rounds, and for how long at the most")
	left := nameColumn(all)
	cellW := (width - margin - left - gutter) / vg.Length(2*len(faults))
	for half, of := range []func(bench.Round) float64{acting, healthy} {
		x0 := left + vg.Length(half)*(vg.Length(len(faults))*cellW+gutter)
		title := []string{"what acts", "what a load balancer sees"}[half]
		d.text(x0, 1.6*vg.Centimeter, bold(style(11, ink, draw.XLeft)), title)
		for k, s := range faults {
			x := x0 + vg.Length(k)*cellW
			for l, word := range twoLines(string(s)) {
				d.text(x+cellW/2, 2.25*vg.Centimeter+vg.Length(l)*.42*vg.Centimeter, style(9, faint, draw.XCenter), word)
			}
			for i, e := range systems {
				y := head + vg.Length(i)*cellH
				rounds := judged(all, e.Name, s)
				n, longest := overlaps(rounds, of)
				inset := vg.Length(1.2)
				switch {
				case len(rounds) == 0:
					d.text(x+cellW/2, y+cellH/2, style(10, faint, draw.XCenter), "–")
				case n == 0:
					d.box(x+inset, y+inset, cellW-2*inset, cellH-2*inset, good)
					d.text(x+cellW/2, y+cellH/2, style(10, ink, draw.XCenter), fmt.Sprintf("0 of %d", len(rounds)))
				default:
					share, on := float64(n)/float64(len(rounds)), color.Color(color.White)
					if share < .7 {
						on = ink
					}
					d.box(x+inset, y+inset, cellW-2*inset, cellH-2*inset, mix(bad, .15+.85*share))
					d.text(x+cellW/2, y+cellH*.33, bold(style(10, on, draw.XCenter)), fmt.Sprintf("%d of %d", n, len(rounds)))
					d.text(x+cellW/2, y+cellH*.68, style(9, on, draw.XCenter), seconds(longest))
				}
			}
		}
	}
	for i, e := range systems {
		d.text(left-nameGap, head+(vg.Length(i)+.5)*cellH, nameStyle, e.Name)
	}
	return d.write(path)
}

// mix is a colour on white, so strong as it says.
func mix(c color.NRGBA, strong float64) color.Color {
	part := func(v uint8) uint8 { return uint8(255 - (255-float64(v))*strong) }
	return color.NRGBA{part(c.R), part(c.G), part(c.B), 0xff}
}

// twoLines has a name take less room.
func twoLines(name string) []string {
	for i, r := range name {
		if r == ' ' {
			return []string{name[:i], name[i+1:]}
		}
	}
	return []string{name}
}
