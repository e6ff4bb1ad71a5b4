// What live views and saved pages share. Data is untrusted: it is shown by textContent only.

const TABLE_STYLE = `
.flower-table table { border-collapse: collapse; font-size: 12.5px; margin: 0; }
.flower-table .flower-scroll { overflow-x: auto; }
.flower-table th { text-align: left; font-weight: 600; padding: 4px 12px 4px 8px; white-space: nowrap;
  border-bottom: 1px solid var(--jp-border-color1, #bbb); }
.flower-table td { text-align: left; padding: 3px 12px 3px 8px; white-space: nowrap; max-width: 28em; overflow: hidden;
  text-overflow: ellipsis; border-bottom: 1px solid var(--jp-border-color3, #8884); }
.flower-table .flower-number { text-align: right; font-variant-numeric: tabular-nums; }
.flower-table td.flower-changed { animation: flower-changed 1.6s ease-out; }
.flower-table td.flower-differs { background: rgb(255 165 30 / 18%); box-shadow: inset 2px 0 0 rgb(214 120 0); }
.flower-table td.flower-type { opacity: .75; font-size: 85%; }
@keyframes flower-changed { from { background: rgb(255 165 30 / 45%); } to { background: transparent; } }
@media (prefers-reduced-motion: reduce) { .flower-table td.flower-changed { animation-timing-function: step-end; } }
.flower-table button.flower-cell { font: inherit; padding: 0; border: 0; background: none; color: inherit;
  cursor: pointer; text-align: inherit; }
.flower-table th button.flower-cell { font-weight: 600; }
.flower-table td button.flower-cell { text-decoration: underline dotted; text-underline-offset: 3px; }
.flower-table td button.flower-cell[aria-pressed=true] { font-weight: 700; }
.flower-controls { display: flex; gap: 4px; flex-wrap: wrap; padding: 4px 0; font-size: 12px; }
.flower-controls > span { display: contents; }
.flower-controls:not(:focus-within) { position: absolute; width: 1px; height: 1px; padding: 0; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap; }
.flower-controls button { font: inherit; padding: 1px 9px; border-radius: 3px; cursor: pointer; color: inherit;
  background: transparent; border: 1px solid currentColor; }
.flower-controls button[aria-pressed=false] { opacity: .6; text-decoration: line-through; }
.flower-controls button:focus-visible { outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: 1px; }
.flower-marks { max-height: 12em; overflow: auto; font-size: 12px; margin: 2px 0 6px; padding-left: 20px; }
.flower-bar { display: flex; align-items: center; gap: 10px; min-height: 26px; font-size: 12.5px; }
.flower-bar button { font: inherit; padding: 1px 10px; border-radius: 3px; cursor: pointer; color: inherit;
  background: transparent; border: 1px solid currentColor; }
.flower-table button:focus-visible, .flower-bar button:focus-visible {
  outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: 1px; }
`

function element(tag, name, text) {
  const made = document.createElement(tag)
  if (name) made.className = name
  if (text !== undefined) made.textContent = text
  return made
}

// -- the colours of a dark theme: those that Python chose are exchanged, a person's own stay

function recolour(doc, colours) {
  for (const model of doc._all_models.values()) {
    const changed = {}
    for (const property of model) {
      const name = property.attr
      if (!name.endsWith("_color")) continue
      const now = model[name]
      const plain = typeof now === "string" ? now : now?.value
      const other = typeof plain === "string" ? colours.get(plain.toUpperCase()) : undefined
      if (other) changed[name] = typeof now === "string" ? other : {value: other}
    }
    if (Object.keys(changed).length) model.setv(changed)
  }
}

// -- what the mouse does in a chart, for who has none: seen once it has the focus

const MARKS = 40

function controls(Bokeh, plot, place, keep = null) {
  const {replace_placeholders: filled} = Bokeh.require("core/util/templating")
  const bar = element("div", "flower-controls")
  bar.setAttribute("role", "toolbar")
  bar.setAttribute("aria-label", `controls of ${plot.name ?? "the chart"}`)
  const marks = element("ul", "flower-marks")
  marks.setAttribute("aria-label", "the newest marks")
  marks.hidden = true
  const button = (text, title, press) => {
    const made = element("button", "", text)
    made.type = "button"
    made.title = title
    made.setAttribute("aria-label", title)
    made.addEventListener("click", event => {
      event.stopPropagation()
      press()
    })
    made.addEventListener("keydown", event => event.stopPropagation())  // Lab would act on it
    return made
  }
  const legends = [...plot.right, ...plot.below].filter(({type}) => type === "Legend")
  const keys = element("span")
  const named = () => legends.flatMap(({items}) => items).filter(item => item.renderers.length && item.label?.value && item.visible)
  const shown = item => item.renderers.some(each => each.visible)
  const refresh = () => {
    const items = named()
    const there = [...keys.children]
    while (there.length > items.length) there.pop().remove()
    items.forEach((item, at) => {
      const text = item.label.value
      const made = there[at] ?? button("", "", () => {
        const now = named()[at]
        const visible = !shown(now)
        for (const each of now.renderers) each.visible = visible
        refresh()
      })
      if (!there[at]) keys.append(made)
      made.textContent = text
      made.title = `${shown(item) ? "hide" : "show"} ${text}`
      made.setAttribute("aria-label", `show ${text}`)
      made.setAttribute("aria-pressed", String(shown(item)))
    })
  }
  bar.append(keys)
  const range = plot.x_range
  if (plot.below.some(({type, visible}) => visible && type.endsWith("Axis")) && Number.isFinite(range.start)) {
    const move = (first, last) => {
      const size = range.end - range.start
      range.setv({start: range.start + first * size, end: range.end + last * size})
    }
    bar.append(
      button("\u25c0", "move to the left", () => move(-0.25, -0.25)),
      button("\u25b6", "move to the right", () => move(0.25, 0.25)),
      button("+", "zoom in", () => move(0.25, -0.25)),
      button("\u2212", "zoom out", () => move(-0.5, 0.5)),
      button("all", "reset the axis", () => {
        if (range.reset_start !== null) range.setv({start: range.reset_start, end: range.reset_end})
      }),
    )
  }
  // The very texts that a hover shows.
  const list = () => {
    const rows = []
    for (const {type, tooltips, formatters, renderers} of plot.toolbar.tools) {
      if (type !== "HoverTool" || !Array.isArray(tooltips) || !Array.isArray(renderers)) continue
      for (const {data_source: source, visible} of renderers) {
        if (!visible) continue
        const count = source.get_length() ?? 0
        const along = source.data.x ?? source.data.right
        for (let at = Math.max(0, count - MARKS); at < count; at++) rows.push([along?.[at] ?? at, source, at, tooltips, formatters])
      }
    }
    rows.sort(([one], [other]) => other - one)
    marks.replaceChildren(...rows.slice(0, MARKS).map(([, source, at, tips, formatters]) => element("li", "",
      tips.map(([label, value]) => `${label}: ${filled(value, source, at, formatters)}`).join(", "))))
  }
  if (plot.toolbar.tools.some(({type}) => type === "HoverTool")) {
    const toggle = button("list marks", "list marks, as a hover shows them", () => {
      marks.hidden = !marks.hidden
      toggle.setAttribute("aria-expanded", String(!marks.hidden))
      if (!marks.hidden) list()
    })
    toggle.setAttribute("aria-expanded", String(Boolean(keep?.open)))
    bar.append(toggle)
  }
  bar.addEventListener("focusin", refresh)
  refresh()
  if (bar.querySelector("button")) place.append(bar, marks)
  if (keep?.open) {
    marks.hidden = false
    list()
  }
  if (keep?.focus >= 0) bar.querySelectorAll("button")[keep.focus]?.focus()
  return {
    refresh,
    // For the controls of the figure that takes its place.
    kept: () => ({open: !marks.hidden, focus: [...bar.querySelectorAll("button")].indexOf(document.activeElement)}),
    remove() {
      bar.remove()
      marks.remove()
    },
  }
}

// -- views that are linked: axes of the same column move together, what is selected in one filters the others

class Links {
  members = new Set()
  selection = null
  from = null
  zoomed = new Set()
  bars = new Set()

  join(member) {
    this.members.add(member)
    member.filter(this.selection, false)
    this.settle()
  }

  leave(member) {
    this.members.delete(member)
    if (this.from === member) this.select(null, null)
  }

  // A selection: {names, keys} of the key's columns, {x, span} of a column along an axis; null: none.
  select(selection, from) {
    this.selection = selection
    this.from = from
    for (const member of this.members) member.filter(selection, member === from)
    for (const bar of this.bars) bar()
  }

  // A person moved an axis. Back at what it wants by itself, all of them are.
  move(member, start, end) {
    const [first, last] = member.wanted()
    if (start === first && end === last) {
      this.zoomed.delete(member.x)
      this.settle()
      return
    }
    this.zoomed.add(member.x)
    for (const other of this.members) if (other !== member && other.x === member.x) other.move(start, end)
  }

  // Python moved axes: together they show what each of them has to show.
  settle() {
    const columns = new Set([...this.members].map(({x}) => x).filter(Boolean))
    for (const x of columns) {
      if (this.zoomed.has(x)) continue
      const alike = [...this.members].filter(member => member.x === x)
      const ends = alike.map(member => member.wanted())
      const start = Math.min(...ends.map(([first]) => first))
      const end = Math.max(...ends.map(([, last]) => last))
      for (const member of alike) member.move(start, end)
    }
  }

  bar(el) {
    const bar = element("div", "flower-bar")
    const said = element("span")
    said.setAttribute("role", "status")
    const all = element("button", "", "show all")
    all.type = "button"
    all.addEventListener("click", event => {
      event.stopPropagation()
      this.select(null, null)
    })
    const say = () => {
      const {names, keys, x, span} = this.selection ?? {}
      const parts = []
      if (keys) {
        parts.push(`${names.join(", ")}: ${keys.slice(0, 5).join("; ")}${keys.length > 5 ? ` and ${keys.length - 5} more` : ""}`)
      }
      if (span) parts.push(`${x} from ${this.text(span[0])} to ${this.text(span[1])}`)
      said.textContent = parts.length ? `only ${parts.join(", ")}` : "select marks or a key to filter the others"
      all.hidden = !parts.length
    }
    say()
    bar.append(said, all)
    el.append(bar)
    this.bars.add(say)
    return () => this.bars.delete(say)
  }

  text(value) {
    const timed = [...this.members].some(({x, timed}) => x === this.selection.x && timed)
    return timed ? new Date(value).toISOString().replace("T", " ").replace(/(:00)?\.000Z$/, "").replace("Z", "")
      : String(value)
  }
}

const same = (one, other) => one.length === other.length && one.every((name, at) => name === other[at])

// A figure among linked views; `follow` is to be called when its data has changed.
function linked(Bokeh, plot, links) {
  const {IndexFilter} = Bokeh.require("models/filters/index_filter")
  const {AllIndices} = Bokeh.require("models/filters/all_indices")
  const {BoxSelectTool} = Bokeh.require("models/tools/gestures/box_select_tool")
  const {TapTool} = Bokeh.require("models/tools/gestures/tap_tool")
  const {x, by, column} = plot.tags.find(tag => tag?.flower)?.flower ?? {x: "", by: [], column: "key"}
  const range = plot.x_range
  const renderers = plot.renderers.filter(({type}) => type === "GlyphRenderer")
  const rows = renderer => renderer.data_source.data
  const marks = renderers.filter(renderer => rows(renderer)[column])
  const pickable = by.length || x ? marks : []
  // A line has no rows of its own to choose: it is there or not, as the marks of its entry in the legend are.
  const strokes = new Map()
  for (const legend of plot.right.filter(({type}) => type === "Legend")) {
    for (const {renderers: several} of legend.items) {
      const mark = several.find(each => marks.includes(each))
      for (const each of several) if (!marks.includes(each)) strokes.set(each, mark)
    }
  }
  const hidden = new Set()
  let quiet = false, selection = null, own = false, closed = false

  const chosen = (data, at) => {
    const {names, keys, x: along, span} = selection
    if (keys && by.length && same(names, by) && !keys.includes(data[column][at])) return false
    return !(span && x && along === x && !(span[0] <= data.x[at] && data.x[at] <= span[1]))
  }
  const apply = () => {
    quiet = true
    for (const mark of marks) {
      const data = rows(mark)
      const all = [...data[column].keys()]
      const some = selection ? all.filter(at => chosen(data, at)) : all
      const every = some.length === all.length
      mark.data_source.selected.indices = own && !every ? some : []
      mark.muted = own && !every && !some.length
      if (!own && !every) mark.view.filter = new IndexFilter({indices: some})
      else if (mark.view.filter.type !== "AllIndices") mark.view.filter = new AllIndices()
    }
    for (const [stroke, mark] of strokes) {
      const other = selection?.keys && mark && same(selection.names, by) && rows(mark)[column].length
        && !selection.keys.includes(rows(mark)[column][0])
      stroke.muted = Boolean(own && other)
      const gone = !own && other
      if (gone && stroke.visible) {
        hidden.add(stroke)
        stroke.visible = false
      } else if (!gone && hidden.delete(stroke)) {
        stroke.visible = true
      }
    }
    quiet = false
  }
  const picked = () => {
    if (quiet || closed) return
    const keys = new Set(), along = new Set()
    let some = 0
    for (const mark of pickable) {
      const data = rows(mark)
      for (const at of mark.data_source.selected.indices) {
        keys.add(data[column][at])
        if (x) along.add(data.x[at])
        some += 1
      }
    }
    if (!some) {
      if (own) links.select(null, null)
      return
    }
    const made = by.length ? {names: by, keys: [...keys]} : {names: [], keys: null}
    const spans = x && (along.size > 1 || !by.length)
    links.select({...made, x: spans ? x : "", span: spans ? [Math.min(...along), Math.max(...along)] : null}, member)
  }
  // A gesture selects in one source after the other.
  let due = false
  const soon = () => {
    if (quiet || due) return
    due = true
    queueMicrotask(() => {
      due = false
      picked()
    })
  }
  const moved = () => {
    if (!quiet && !closed && x) links.move(member, range.start, range.end)
  }
  const member = {
    x,
    timed: plot.below.some(({type}) => type === "DatetimeAxis"),
    wanted: () => [range.reset_start, range.reset_end],
    move(start, end) {
      quiet = true
      range.setv({start, end})
      quiet = false
    },
    filter(wanted, mine) {
      selection = wanted
      own = mine
      apply()
    },
    // While `change` runs it is Python that moves the axes.
    follow(change) {
      quiet = true
      try { change() } finally { quiet = false }
      if (selection) apply()
      links.settle()
    },
    leave() {
      closed = true
      range.change.disconnect(moved)
      for (const mark of pickable) mark.data_source.selected.change.disconnect(soon)
      links.leave(member)
    },
  }
  if (pickable.length) {
    plot.toolbar.tools = [
      ...plot.toolbar.tools,
      new BoxSelectTool({renderers: pickable}),
      new TapTool({renderers: pickable}),
    ]
  }
  range.change.connect(moved)
  for (const mark of pickable) mark.data_source.selected.change.connect(soon)
  links.join(member)
  return member
}

// -- tables: sorted by a click on a column, what changed is marked

function table(el, links = null) {
  el.classList.add("flower-table")
  const note = element("div", "flower-note")
  const scroll = element("div", "flower-scroll")
  el.append(scroll, note)
  let before = new Map(), sorted = null, latest = null, selection = null
  const order = rows => {
    if (!sorted) return rows
    const {at, down} = sorted
    const value = ({cells, values}) => values?.[at] ?? cells[at]
    const compare = (one, other) => {
      const [a, b] = [value(one), value(other)]
      if (a === "" || b === "") return (a === "") - (b === "")  // missing ones last
      const by = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b))
      return down ? -by : by
    }
    return [...rows].sort(compare)
  }
  const keyOf = ({cells}, names) => names.map(name => cells[latest.columns.indexOf(name)] || "(missing)").join(", ")
  const kept = rows => {
    if (!selection || selection.own) return rows
    const {names, keys, x, span} = selection
    const keyed = keys && names.every(name => latest.columns.includes(name))
    const at = span ? latest.columns.indexOf(x) : -1
    return rows.filter(row => {
      if (keyed && !keys.includes(keyOf(row, names))) return false
      const value = at >= 0 ? row.values[at] : null
      return value === null || (span[0] <= value && value <= span[1])
    })
  }
  const cellButton = (text, focus, press) => {
    const button = element("button", "flower-cell", text)
    button.type = "button"
    button.dataset.focus = focus
    button.addEventListener("click", event => {
      event.stopPropagation()
      press()
    })
    // Lab would act on it.
    button.addEventListener("keydown", event => event.stopPropagation())
    return button
  }
  const view = {
    draw(snapshot) {
      latest = snapshot
      const active = scroll.contains(document.activeElement) ? document.activeElement.dataset.focus : undefined
      const made = element("table")
      made.setAttribute("aria-label", snapshot.title ?? "table")
      const head = made.createTHead().insertRow()
      snapshot.columns.forEach((name, at) => {
        const cell = element("th", snapshot.numeric[at] ? "flower-number" : "")
        cell.scope = "col"
        const down = sorted?.at === at ? sorted.down : undefined
        cell.setAttribute("aria-sort", down === undefined ? "none" : down ? "descending" : "ascending")
        const text = name + (down === undefined ? "" : down ? " \u25be" : " \u25b4")
        // Up, down, and as they came.
        const button = cellButton(text, `sort ${at}`, () => {
          sorted = down === undefined ? {at, down: false} : down ? null : {at, down: true}
          view.draw(latest)
        })
        button.setAttribute("aria-label", `sort by ${name}`)
        button.title = "sort"
        cell.append(button)
        head.append(cell)
      })
      if (snapshot.types) {
        const types = made.tHead.insertRow()
        snapshot.types.forEach((name, at) => {
          types.append(element("td", `flower-type${snapshot.numeric[at] ? " flower-number" : ""}`, name))
        })
      }
      const body = made.createTBody()
      const now = new Map(snapshot.rows.map(({key, cells}) => [key, cells]))
      const pick = links && snapshot.by?.length ? snapshot.columns.indexOf(snapshot.by[0]) : -1
      order(kept(snapshot.rows)).forEach(line => {
        const {key, cells, changed} = line
        const row = body.insertRow()
        const old = before.get(key)
        cells.forEach((text, at) => {
          const cell = element("td", snapshot.numeric[at] ? "flower-number" : "")
          if (at === pick) {
            const whole = keyOf(line, snapshot.by)
            const pressed = selection?.keys?.length === 1 && selection.keys[0] === whole
            const chosen = {names: snapshot.by, keys: [whole], x: "", span: null}
            const button = cellButton(text || "(missing)", `key ${key}`, () => links.select(pressed ? null : chosen, view))
            button.setAttribute("aria-pressed", String(pressed))
            button.setAttribute("aria-label", `only ${whole}`)
            cell.append(button)
          } else {
            cell.textContent = text
          }
          if (text.length > 40) cell.title = text
          if (before.size && (!old || old[at] !== text)) cell.classList.add("flower-changed")
          if (changed?.[at]) {
            cell.classList.add("flower-differs")
            cell.title ||= "changed"
          }
          row.append(cell)
        })
      })
      before = now
      scroll.replaceChildren(made)
      if (active !== undefined) scroll.querySelector(`button[data-focus="${CSS.escape(active)}"]`)?.focus()
      note.textContent = snapshot.note ?? ""
      note.classList.toggle("flower-problem", Boolean(snapshot.problem))
    },
    x: "",
    wanted: () => [NaN, NaN],
    move() {},
    filter(wanted, mine) {
      selection = mine ? {...wanted, own: true} : wanted
      if (latest) view.draw(latest)
    },
    close() { links?.leave(view) },
  }
  links?.join(view)
  return view
}
