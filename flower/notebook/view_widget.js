// The front end of every live view (see view_widget.py); flower/charts/front.js stands before it.

const STYLE = `
.flower-view { position: relative; color: var(--jp-content-font-color1, #222);
  font: 13px/1.45 var(--jp-ui-font-family, system-ui, "DejaVu Sans", sans-serif); padding: 4px 0; }
.flower-chart { background: #fff; color: #222; border-radius: 6px; padding: 10px 12px 0; min-height: 220px;
  box-sizing: border-box; overflow: hidden; }
.flower-chart.flower-dark { background: #161616; color: #eaeaea; }
.flower-note { color: var(--jp-content-font-color2, #666); font-size: 12px; padding: 2px 0 4px; }
.flower-chart > .flower-note { color: #666; }
.flower-chart.flower-dark > .flower-note { color: #aaa; }
.flower-gone { font-weight: 600; }
.flower-problem { color: var(--jp-error-color1, #c0392b); white-space: pre-wrap; }
.flower-view table { border-collapse: collapse; font-size: 12.5px; margin: 0; }
.flower-view th { text-align: left; font-weight: 600; padding: 4px 12px 4px 8px; white-space: nowrap;
  border-bottom: 1px solid var(--jp-border-color1, #bbb); }
.flower-view td { text-align: left; padding: 3px 12px 3px 8px; white-space: nowrap; max-width: 28em; overflow: hidden;
  text-overflow: ellipsis; border-bottom: 1px solid var(--jp-border-color3, #e6e6e6); }
.flower-view .flower-number { text-align: right; font-variant-numeric: tabular-nums; }
.flower-head { display: flex; align-items: center; gap: 8px; flex-wrap: wrap; margin-bottom: 6px; }
.flower-name { font-weight: 600; }
.flower-title { font-weight: 600; font-size: 16px; padding: 2px 0; }
.flower-state { border-radius: 9px; padding: 0 9px; font-size: 12px; color: #fff; background: #5f6b76; }
.flower-state[data-state=running] { background: #00724f; }
.flower-state[data-state=paused] { background: #8a5a00; }
.flower-state[data-state=failed] { background: #b3261e; }
.flower-view button { font: inherit; font-size: 12px; padding: 1px 10px; cursor: pointer; border-radius: 3px;
  color: inherit; background: var(--jp-layout-color2, #f2f2f2); border: 1px solid var(--jp-border-color1, #bbb); }
.flower-view button:disabled { opacity: .5; cursor: default; }
.flower-view button:focus-visible { outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: 1px; }
.flower-view button.flower-waiting { opacity: .75; border-style: dashed; cursor: progress; }
.flower-view select:focus-visible { outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: 1px; }
.flower-view [hidden] { display: none; }
.flower-rate { display: inline-flex; align-items: center; gap: 6px; font-size: 12px; font-variant-numeric: tabular-nums;
  color: var(--jp-content-font-color2, #666); }
.flower-rate polyline { fill: none; stroke: var(--jp-brand-color1, #1976d2); stroke-width: 1.5; }
.flower-body { display: flex; flex-wrap: wrap; gap: 8px 28px; align-items: flex-start; }
.flower-body > .flower-left { flex: 0 1 34em; min-width: 0; }
.flower-steps { flex: 0 1 auto; max-width: 100%; }
.flower-steps summary { cursor: pointer; font-size: 12px; color: var(--jp-content-font-color2, #666); }
.flower-steps > div { max-height: 340px; overflow: auto; }
.flower-view select { font: inherit; font-size: 12px; color: inherit; max-width: 17em; padding: 1px 3px;
  background: var(--jp-layout-color2, #f2f2f2); border: 1px solid var(--jp-border-color1, #bbb); border-radius: 3px; }
.flower-view .flower-slider { display: grid; grid-template-columns: max-content 8em; column-gap: 8px; align-items: center; }
.flower-slider output { grid-column: 1 / 3; min-width: 18em; color: var(--jp-content-font-color1, #222); }
.flower-slider input { margin: 0; accent-color: var(--jp-brand-color1, #1976d2); }
.flower-slider input:focus-visible { outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: 2px; }
.flower-view [aria-busy=true] { opacity: .5; }
.flower-why { margin: 2px 0 6px; padding: 4px 8px 4px 24px; border-left: 3px solid var(--jp-border-color1, #bbb);
  background: var(--jp-layout-color2, #f2f2f2); }
.flower-view .flower-windows { list-style: none; margin: 2px 0 6px; padding: 0; display: flex; flex-wrap: wrap; gap: 4px; }
.flower-filling { padding: 2px 0 4px; }
.flower-about { display: grid; grid-template-columns: max-content 1fr; gap: 1px 12px; margin: 4px 0; font-size: 12px; }
.flower-about dt { color: var(--jp-content-font-color2, #666); }
.flower-about dd { margin: 0; }
.flower-view .flower-facts th { color: var(--jp-content-font-color2, #666); font-weight: normal; vertical-align: top; }
.flower-view .flower-facts :is(th, td) { border: 0; padding: 1px 14px 1px 0; }
.flower-view .flower-facts td { white-space: normal; max-width: none; overflow-wrap: anywhere;
  font-variant-numeric: tabular-nums; }
` + TABLE_STYLE

// -- BokehJS, from the kernel, once a page

const loading = (globalThis.__flower_bokeh ??= new Map())

// A page that is loaded again learns of its kernel's models one by one, and slowly if the kernel is busy.
async function known(manager, id) {
  for (let tries = 0; manager.has_model?.(id) === false && tries < 120; tries++) {
    await new Promise(done => setTimeout(done, 250))
  }
  return manager.get_model(id)
}

// BokehJS does not take back what listens to the viewport (3.9): each figure that there ever was would stay.
function forgetful(Bokeh) {
  const {PlotView} = Bokeh.require("models/plots/plot_canvas")
  const {connect_signals, remove} = PlotView.prototype
  PlotView.prototype.connect_signals = function () {
    const {signal} = (this.__flower_ears = new AbortController())
    const listen = visualViewport.addEventListener.bind(visualViewport)
    visualViewport.addEventListener = (type, heard) => listen(type, heard, {signal})
    try {
      connect_signals.call(this)
    } finally {
      delete visualViewport.addEventListener  // the own one, which hides that of all
    }
  }
  PlotView.prototype.remove = function () {
    this.__flower_ears.abort()
    remove.call(this)
  }
}

function bokeh(model) {
  const version = model.get("version")
  const there = () => (globalThis.Bokeh?.version === version ? globalThis.Bokeh : globalThis.Bokeh?.[version])
  if (there()) return Promise.resolve(there())
  if (!loading.has(version)) {
    const load = async () => {
      const library = await known(model.widget_manager, model.get("library"))
      const script = element("script")
      script.textContent = new TextDecoder().decode(library.get("bokehjs"))
      document.head.append(script)  // runs before append returns
      script.remove()
      if (!there()) throw new Error("BokehJS did not load")
      forgetful(there())
      return there()
    }
    loading.set(version, load().catch(problem => { loading.delete(version); throw problem }))
  }
  return loading.get(version)
}

// -- the theme

const dark = () => document.body.dataset.jpThemeLight === "false" || document.body.classList.contains("vscode-dark")

// Views of one dashboard, wherever on the page they are.
const dashboards = (globalThis.__flower_links ??= new Map())

function linksOf(model) {
  const name = model.get("links")
  if (!name) return null
  if (!dashboards.has(name)) dashboards.set(name, new Links())
  return dashboards.get(name)
}

// -- what is drawn: each kind has draw(snapshot), and may have patch(message, buffers), ended() and close()

// Timers of pages that nobody sees are slow; this is not.
const breath = () => new Promise(done => {
  const {port1, port2} = new MessageChannel()
  port1.onmessage = () => {
    port1.close()
    done()
  }
  port2.postMessage(null)
})

async function chart(model, el, queue) {
  const Bokeh = await bokeh(model)
  const {Document} = Bokeh.require("document")
  const {add_document_standalone} = Bokeh.require("embed/standalone")
  const box = element("div", "flower-chart")
  box.setAttribute("role", "figure")
  const note = element("div", "flower-note")
  el.append(box)
  const links = linksOf(model)
  let shown = null
  // Python moves the ranges in steps; what a person zoomed to stays until it is reset.
  let ends = new Map()

  // What the notebook keeps of a view that goes on: a picture now and then, made when nothing else is to be done.
  let timer = null, due = 0
  const send = async last => {
    if (!shown || (!last && (!box.isConnected || document.hidden))) return
    const {doc, views} = shown
    if (!doc.is_idle) {
      // What is drawn slowly is not waited for long: messages wait behind this.
      const idle = new Promise(done => doc.idle.connect(() => done()))
      await (last ? idle : Promise.race([idle, new Promise(done => setTimeout(done, IDLE))]))
      if (!last && !doc.is_idle) return
    }
    const [view] = views.roots
    const drawn = view.export("png", true).canvas
    const canvas = element("canvas")
    canvas.width = drawn.width
    canvas.height = drawn.height
    const paper = canvas.getContext("2d")
    paper.fillStyle = isDark ? "#161616" : "#fff"
    paper.fillRect(0, 0, canvas.width, canvas.height)
    paper.drawImage(drawn, 0, 0)
    const blob = await new Promise(done => canvas.toBlob(done, "image/png"))
    const {width, height} = view.bbox
    if (!blob || !width || !height) return
    const message = {type: "picture", width: Math.round(width), height: Math.round(height)}
    model.send(message, undefined, [await blob.arrayBuffer()])
  }
  const keep = () => {
    if (timer !== null) return
    // In its turn among the messages: what is painted must not change meanwhile.
    timer = setTimeout(() => queue(async () => {
      timer = null
      const began = Date.now()
      await send(false)
      due = Date.now() + Math.max(KEPT, SHARE * (Date.now() - began))
    }), Math.max(FIRST, due - Date.now()))
  }

  const night = new Map(Object.entries(model.get("dark")))
  const light = new Map([...night].map(([bright, dim]) => [dim, bright]))
  let isDark = false
  const theme = (wanted = dark()) => {
    if (!shown || wanted === isDark) return
    isDark = wanted
    box.classList.toggle("flower-dark", wanted)
    recolour(shown.doc, wanted ? night : light)
  }
  const watcher = new MutationObserver(() => theme())
  watcher.observe(document.body, {attributes: true, attributeFilter: ["data-jp-theme-light", "class"]})

  const release = ({doc, views, place, member, keyed}) => {
    member?.leave()
    keyed.remove()
    views.clear()
    doc.clear()
    const at = Bokeh.documents.indexOf(doc)
    if (at >= 0) Bokeh.documents.splice(at, 1)
    place.remove()
  }
  const say = message => {
    note.textContent = message.note ?? ""
    note.classList.toggle("flower-problem", Boolean(message.problem))
  }
  return {
    async draw(snapshot) {
      const doc = Document.from_json(snapshot.doc)
      const place = element("div")
      box.style.minHeight = `${box.offsetHeight}px`
      const before = shown
      if (before) place.style.position = "absolute"
      note.remove()
      box.append(place, note)
      const views = await add_document_standalone(doc, place, doc.roots().map(() => place))
      place.style.position = ""
      const keys = before?.keyed.kept()
      if (before) release(before)
      const member = links ? linked(Bokeh, doc.roots()[0], links) : null
      const keyed = controls(Bokeh, doc.roots()[0], box, keys)
      shown = {doc, views, place, member, keyed}
      ends = new Map()
      for (const made of doc._all_models.values()) {
        if (made.type === "Range1d" && made.tags?.includes("flower")) ends.set(made.id, [made.start, made.end])
      }
      box.setAttribute("aria-label", doc.roots()[0].name ?? "chart")
      isDark = false
      box.classList.remove("flower-dark")
      theme()
      box.style.minHeight = ""
      say(snapshot)
      keep()
    },
    patch(message, buffers) {
      if (message.content) {
        const parts = message.names.map((name, at) => {
          const {buffer, byteOffset, byteLength} = buffers[at]
          return [name, buffer.slice(byteOffset, byteOffset + byteLength)]
        })
        const content = JSON.parse(message.content)
        const moved = new Set([...ends].filter(([id, known]) => {
          const range = shown.doc.get_model_by_id(id)
          const reset = range.start === range.reset_start && range.end === range.reset_end
          return !reset && (range.start !== known[0] || range.end !== known[1])
        }).map(([id]) => id))
        content.events = content.events.filter(({kind, model, attr, new: value}) => {
          const at = kind === "ModelChanged" ? ["start", "end"].indexOf(attr) : -1
          if (at < 0 || !ends.has(model.id)) return true
          ends.get(model.id)[at] = value
          return !moved.has(model.id)
        })
        const change = () => shown.doc.apply_json_patch(content, new Map(parts))
        if (shown.member) shown.member.follow(change)
        else change()
        shown.keyed.refresh()
        keep()
      }
      say(message)
      // Bokeh takes new data over in promises; the next patch, which may be waiting already, must find them done.
      return message.content ? breath() : null
    },
    async ended() {
      clearTimeout(timer)
      await new Promise(done => setTimeout(done, 50))
      await send(true)
    },
    keep,
    document: () => shown?.doc,
    close() {
      watcher.disconnect()
      clearTimeout(timer)
      if (shown) release(shown)
      shown = null
    },
  }
}

// What the kernel has not taken yet: a busy one hears nothing until its cell ends, and the click says that it waits.
const PATIENCE = 400  // milliseconds before a click is said to wait
// Milliseconds before the first picture that is kept, and between two, how often what one took, and how long to wait.
const FIRST = 1000, KEPT = 10_000, SHARE = 50, IDLE = 2000
const WAITS = "waits for the kernel, which is busy"

function asking(model, changed) {
  const pending = new Map()  // a click's number, and its control
  let sent = 0, lost = false
  return {
    tell(control, name, value) {
      const id = ++sent
      pending.set(id, control)
      changed()
      setTimeout(() => {
        if (!pending.has(id) || lost) return
        control.ariaBusy = "true"
        changed()
      }, PATIENCE)
      model.send({type: "command", name, value, id})
    },
    taken(id) {
      const control = pending.get(id)
      pending.delete(id)
      if (control && ![...pending.values()].includes(control)) control.ariaBusy = null
      changed()
    },
    pending: control => [...pending.values()].includes(control),
    waits: () => !lost && [...pending.values()].some(each => each.ariaBusy === "true"),
    lose() { lost = true },
  }
}

// Buttons that are made anew when what they stand for changes; the one that is focused stays so.
function offered(place, items, press) {
  const there = [...place.querySelectorAll("button")]
  if (there.length === items.length && there.every((each, at) => each.dataset.item === items[at][0])) {
    there.forEach((each, at) => { each.textContent = items[at][1] })
    return
  }
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.item : undefined
  const before = new Map(there.map(each => [each.dataset.item, each]))
  place.replaceChildren(...items.map(([item, text]) => {
    const button = before.get(item) ?? element("button")
    if (!before.has(item)) {
      button.type = "button"
      button.dataset.item = item
      button.addEventListener("click", event => {
        event.stopPropagation()
        press(item, button)
      })
      button.addEventListener("keydown", event => event.stopPropagation())
    }
    button.textContent = text
    const line = element("li")
    line.append(button)
    return line
  }))
  if (focused !== undefined) {
    const again = before.get(focused)
    if (again?.isConnected) again.focus()
    else place.querySelector("button")?.focus()
  }
}

const told = (place, lines) => {
  place.hidden = !lines.length
  // What is read aloud is changed only if it says something else.
  if (JSON.stringify(lines) === place.dataset.said) return
  place.dataset.said = JSON.stringify(lines)
  place.replaceChildren(...lines.map(line => element("li", "", line)))
}

// One of some texts that have no order.
function listed({name, options}, choose) {
  const label = element("label", "flower-note", `${name} `), control = element("select")
  options.forEach((text, n) => control.append(new Option(text, n)))
  control.addEventListener("change", event => {
    event.stopPropagation()
    choose(control, control.value)
  })
  label.append(control)
  return {label, control, show: chosen => { control.value = String(chosen) }}
}

// One of some texts from little to much.
function slider({name, options, published}, choose) {
  const label = element("label", "flower-note flower-slider"), control = element("input"), text = element("output")
  control.type = "range"
  control.min = "0"
  control.max = String(options.length - 1)
  control.setAttribute("aria-label", name)
  text.setAttribute("aria-hidden", "true")  // the value's text says it
  const tell = () => {
    const at = Number(control.value)
    text.textContent = at === published && options[at] !== PUBLISHED ? `${options[at]}, ${PUBLISHED}` : options[at]
    control.setAttribute("aria-valuetext", text.textContent)
  }
  control.addEventListener("input", event => {
    event.stopPropagation()
    tell()
    choose(control, control.value)
  })
  label.append(element("span", "", name), control, text)
  return {label, control, show(chosen) { control.value = String(chosen); tell() }}
}

const PUBLISHED = "as published"

// A time diagram: a chart whose epochs are stepped through here, with sliders and lists that Python answers by another
// one, and what Python says of a window that is clicked.
async function diagram(model, el, queue) {
  const controls = element("div", "flower-head")
  el.append(controls)
  const drawn = await chart(model, el, queue)
  const place = element("div"), said = element("ul", "flower-why"), about = element("dl", "flower-about")
  const filling = element("div", "flower-filling"), windows = element("ul", "flower-windows")
  const wait = element("span", "flower-note flower-waits")
  wait.setAttribute("role", "status")
  windows.setAttribute("aria-label", "windows that fill: press one to hear what it waits for")
  filling.append(element("span", "flower-note", "Windows that fill, and why they wait:"), windows, wait)
  said.setAttribute("aria-live", "polite")
  said.hidden = about.hidden = filling.hidden = true
  el.append(place, filling, said, about)
  const asked = asking(model, () => { wait.textContent = asked.waits() ? WAITS : "" })
  let steps = null, options = "", boxes = null, chooses = []

  const offer = selects => {
    const now = JSON.stringify(selects.map(({chosen, ...rest}) => rest))
    if (now === options) {
      // A control stays as it is, or nobody could drag it; what is under way is newer than what came.
      selects.forEach(({chosen}, at) => { if (!asked.pending(chooses[at].control)) chooses[at].show(chosen) })
      return
    }
    options = now
    const focused = controls.contains(document.activeElement) ? document.activeElement.dataset.at : undefined
    chooses = selects.map((each, at) => (each.slides ? slider : listed)(each, (control, number) => {
      place.setAttribute("aria-busy", "true")  // until Python has run the rows again
      asked.tell(control, `set:${at}:${number}`)
    }))
    chooses.forEach(({control, show}, at) => {
      control.dataset.at = String(at)
      for (const kind of ["keydown", "mousedown", "pointerdown"]) {
        control.addEventListener(kind, event => event.stopPropagation())
      }
      show(selects[at].chosen)
    })
    controls.replaceChildren(...chooses.map(({label}) => label))
    if (focused !== undefined) chooses[focused]?.control.focus()
  }
  const tell = lines => told(said, lines)
  // The windows that the picture shows as filling, for who has no mouse.
  const list = at => {
    const source = boxes?.data_source.data
    const there = source ? [...source.since.keys()].filter(i => source.since[i] <= at && at < source.until[i]) : []
    filling.hidden = !there.length
    offered(windows, there.slice(0, LISTED).map(i => [
      `${source.start[i]}:${source.end[i]}`, `${source.window[i]} \u00b7 so far ${source.text[i]}`,
    ]), (item, button) => asked.tell(button, `why:${steps.at()}:${item}`))
    drawn.keep()
  }
  const describe = pairs => {
    about.hidden = !pairs.length
    about.replaceChildren(...pairs.flatMap(([kind, text]) => [element("dt", "", kind), element("dd", "", text)]))
  }
  const ask = doc => {
    boxes = [...doc._all_models.values()].find(({type, name}) => type === "GlyphRenderer" && name === "filling")
    if (!boxes) return
    const {data_source: source} = boxes
    source.selected.properties.indices.change.connect(() => {
      const [index] = source.selected.indices
      if (index === undefined) return
      const {start, end} = source.data
      asked.tell(windows, `why:${steps.at()}:${start[index]}:${end[index]}`)
    })
  }
  return {
    async draw(snapshot) {
      const keep = steps?.kept()
      steps?.close()
      await drawn.draw(snapshot)
      ask(drawn.document())
      steps = flowerSteps(drawn.document(), place, keep, list)
      offer(snapshot.selects)
      tell(snapshot.said)
      describe(snapshot.about)
      place.removeAttribute("aria-busy")
    },
    patch(message, buffers) {
      const patched = drawn.patch(message, buffers)
      if (message.said) tell(message.said)
      return patched
    },
    taken: id => asked.taken(id),
    gone: () => asked.lose(),
    close() {
      steps?.close()
      drawn.close()
    },
  }
}

const SVG = "http://www.w3.org/2000/svg"

// Rows a second, oldest first, as a line that fills its place.
function sparkline() {
  const [width, height] = [110, 20]
  const svg = document.createElementNS(SVG, "svg")
  const line = svg.appendChild(document.createElementNS(SVG, "polyline"))
  svg.setAttribute("width", width)
  svg.setAttribute("height", height)
  svg.setAttribute("aria-hidden", "true")
  const box = element("span", "flower-rate")
  const text = element("span")
  box.append(svg, text)
  return {
    box,
    draw(rates) {
      box.hidden = rates.length < 2
      const most = Math.max(...rates, 1)
      const step = width / Math.max(rates.length - 1, 1)
      line.setAttribute("points", rates.map((rate, at) =>
        `${(at * step).toFixed(1)},${(height - 1 - (height - 2) * rate / most).toFixed(1)}`).join(" "))
      text.textContent = `${Math.round(rates.at(-1) ?? 0).toLocaleString("en")} rows/s`
    },
  }
}

const BUTTONS = [
  ["pause", "pause", "Stop after this epoch"],
  ["resume", "resume", "Go on"],
  ["step", "step", "Run one epoch"],
  ["firing", "to next firing", "Run epochs until a window fires"],
  ["drain", "drain", "End the input here, and fire all windows"],
  ["stop", "stop", "End here; open windows do not fire"],
]
const SPEEDS = [0.1, 0.5, 1, 2, 5, 10, 100]
const LISTED = 12

function run(model, el) {
  el.setAttribute("role", "group")
  const head = element("div", "flower-head")
  const state = element("span", "flower-state")
  state.setAttribute("role", "status")
  const name = element("span", "flower-name")
  const rate = sparkline()
  const facts = element("table", "flower-facts")
  const wait = element("span", "flower-note flower-waits")
  wait.setAttribute("role", "status")
  const steps = element("details", "flower-steps")
  steps.open = true
  const drawn = element("div")
  steps.append(element("summary", "", "Steps"), drawn)
  const body = element("div", "flower-body")
  // Looked at only while it is open: what is held may be large.
  const waiting = element("details", "flower-steps")
  const summary = element("summary", "", "Open windows, and why they wait")
  const windows = element("ul", "flower-windows")
  windows.setAttribute("aria-label", "open windows: press one to hear what it waits for")
  const none = element("div", "flower-note")
  const said = element("ul", "flower-why")
  said.setAttribute("aria-live", "polite")
  said.hidden = true
  waiting.append(summary, none, windows, said)
  waiting.addEventListener("toggle", () => {
    if (waiting.open !== listing) asked.tell(summary, "windows", waiting.open)
    listing = waiting.open
  })
  for (const each of [waiting, steps]) {
    each.firstChild.addEventListener("keydown", event => event.stopPropagation())  // Lab would act on it
  }
  const left = element("div", "flower-left")
  left.append(facts, waiting)
  body.append(left, steps)

  let commands = [], lost = false, listing = false
  const enable = () => {
    for (const [command, button] of buttons) {
      button.hidden = !commands.includes(command) && !["pause", "stop"].includes(command)
      button.disabled = lost || !commands.includes(command) || asked.pending(button)
      button.classList.toggle("flower-waiting", button.ariaBusy === "true")
    }
    speed.disabled = lost || !commands.length || asked.pending(speed)
    wait.textContent = asked.waits() ? WAITS : ""
  }
  const asked = asking(model, enable)
  const buttons = new Map(BUTTONS.map(([command, text, title]) => {
    const button = element("button", "", text)
    button.type = "button"
    button.title = title
    button.addEventListener("click", event => {
      event.stopPropagation()
      asked.tell(button, command)
    })
    return [command, button]
  }))
  const speed = element("select")
  speed.setAttribute("aria-label", "speed of replays and rates")
  speed.title = "Speed of replays and rates"
  for (const each of SPEEDS) speed.append(new Option(`${each}\u00d7`, each))
  speed.addEventListener("change", () => asked.tell(speed, "speed", Number(speed.value)))
  speed.addEventListener("keydown", event => event.stopPropagation())

  const share = element("progress")
  share.max = 1
  share.setAttribute("aria-label", "how much of the input is read")
  head.append(name, state, ...buttons.values(), speed, rate.box, share, wait)
  el.append(head, body)
  const list = now => {
    waiting.hidden = !now.windowed
    // The kernel knows what a page had open that was loaded again.
    if (now.windows !== null && !waiting.open && !asked.pending(summary)) listing = waiting.open = true
    offered(windows, now.windows ?? [], (item, button) => asked.tell(button, "why", item))
    none.textContent = now.windows === null ? "" : now.windows.length ? "The first to end; press one:" : "No window is open."
    told(said, now.windows === null ? [] : now.said)
  }
  const patch = told => {
    list(told)
    name.textContent = told.name
    el.setAttribute("aria-label", `run ${told.name}`)
    state.textContent = told.state
    state.dataset.state = told.state
    commands = told.commands
    share.hidden = told.share === null
    share.value = told.share ?? 0
    speed.hidden = told.speed === null
    if (told.speed !== null && document.activeElement !== speed) {
      if (!SPEEDS.includes(told.speed) && ![...speed.options].some(each => Number(each.value) === told.speed)) {
        speed.append(new Option(`${told.speed}\u00d7`, told.speed))
      }
      speed.value = String(told.speed)
    }
    enable()
    rate.draw(told.rates)
    facts.replaceChildren(...told.facts.map(([term, text]) => {
      const row = element("tr")
      const head = element("th", "", term)
      head.scope = "row"
      row.append(head, element("td", "", text))
      return row
    }))
    const counts = drawn.querySelectorAll(".flower-step")
    for (const [at, text] of told.steps) {
      const count = counts[at]?.querySelector(".flower-count")
      if (count) count.textContent = text
    }
  }
  return {
    draw(snapshot) {
      // The kernel escaped what it wrote; parsed as XML, it can be nothing but a picture.
      const svg = new DOMParser().parseFromString(snapshot.graph, "image/svg+xml").documentElement
      for (const each of svg.querySelectorAll("script, foreignObject")) each.remove()
      drawn.replaceChildren(document.importNode(svg, true))
      patch(snapshot)
    },
    patch,
    taken: id => asked.taken(id),
    gone() {
      lost = true
      asked.lose()
      state.textContent = "gone"
      state.dataset.state = "gone"
      enable()
    },
  }
}

// A stream's first rows.
function preview(model, el) {
  const about = element("div", "flower-about-stream")
  el.append(about)
  const rows = table(el)
  return {
    draw(snapshot) {
      about.textContent = snapshot.about
      rows.draw(snapshot)
    },
  }
}

// What a dashboard is called; what is selected in it, and the way back.
function bar(model, el) {
  const title = element("div", "flower-title")
  title.setAttribute("role", "heading")
  title.setAttribute("aria-level", "3")
  el.append(title)
  const leave = linksOf(model)?.bar(el)
  return {
    draw(snapshot) {
      title.textContent = snapshot.title
      title.hidden = !snapshot.title
    },
    close: () => leave?.(),
  }
}

const KINDS = {chart, diagram, table: (model, el) => table(el, linksOf(model)), run, bar, preview}

const GONE = "No longer live: its kernel was restarted or has ended. Run the cell again."
const LOST = ["restarting", "autorestarting", "terminating", "dead"]

// -- what stands beside a view, for where it cannot live, is hidden where it does

const hiding = (globalThis.__flower_hiding ??= new Map())

function hide(still) {
  if (!still) return () => {}
  const known = hiding.get(still) ?? {views: 0, style: element("style")}
  if (!known.views++) {
    const output = `.jp-OutputArea-child:has(> .jp-OutputArea-output .${CSS.escape(still)})`
    known.style.textContent = `.${CSS.escape(still)}, ${output} { display: none !important; }`
    document.head.append(known.style)
    hiding.set(still, known)
  }
  return () => {
    if (--known.views) return
    known.style.remove()
    hiding.delete(still)
  }
}

// -- messages

// Messages that come before there is a view to draw them.
const held = new WeakMap()

export default {
  initialize({model}) {
    const waiting = {messages: [], views: 0}
    held.set(model, waiting)
    model.on("msg:custom", (message, buffers) => {
      if (waiting.views) return
      if (message.type === "snapshot") waiting.messages = []
      if (waiting.messages.length < 200) waiting.messages.push([message, buffers])
    })
  },

  async render({model, el}) {
    const show = hide(model.get("still"))
    const style = element("style")
    style.textContent = STYLE
    const place = element("div", "flower-view")
    el.append(style, place)
    const waiting = held.get(model) ?? {messages: [], views: 0}
    let view = null, sequence = -1, asked = false, open = true
    let turn = Promise.resolve()

    const resync = () => {
      if (asked) return
      asked = true
      model.send({type: "resync"})
    }
    const take = async (message, buffers) => {
      if (!open) return
      if (message.type === "taken") {
        view.taken?.(message.id)
        return
      }
      if (message.type === "snapshot") {
        if (message.seq < sequence) return
        await view.draw(message)
        asked = false
      } else {
        if (message.seq <= sequence) return
        if (message.seq !== sequence + 1) resync()  // go on drawing: the answer comes when the kernel is idle
        try {
          await view.patch(message, buffers)
        } catch (problem) {
          resync()  // it patches something that this view never saw
        }
      }
      sequence = message.seq
      place.dataset.sequence = String(sequence)
      model.send({type: "ack", seq: sequence})
      if (message.ended && view.ended) await view.ended()
    }
    // One after another, as drawing takes its time.
    const next = (message, buffers) => {
      turn = turn.then(() => take(message, buffers)).catch(problem => {
        if (open) place.replaceChildren(element("div", "flower-problem", `cannot draw this view: ${problem}`))
      })
      return turn
    }
    const listen = (message, buffers) => { next(message, buffers) }
    // What is drawn stays, and says that it is old. Managers mark the models of a kernel that a person restarts;
    // JupyterLab's has the kernel too, which tells of one that died.
    const kernel = model.widget_manager.kernel
    const gone = () => {
      if (!open) return
      open = false
      turn.then(() => {
        view?.gone?.()
        place.append(element("div", "flower-note flower-gone", GONE))
      })
    }
    const status = (_, now) => { if (LOST.includes(now)) gone() }

    const queue = job => { turn = turn.then(() => (open ? job() : null)).catch(() => {}) }
    turn = (async () => { view = await KINDS[model.get("kind")](model, place, queue) })()
    next(model.get("snapshot"), [])
    for (const [message, buffers] of waiting.messages) next(message, buffers)
    waiting.messages = []
    waiting.views += 1
    model.on("msg:custom", listen)
    model.on("comm_live_update", gone)
    kernel?.statusChanged?.connect(status)
    return () => {
      open = false
      waiting.views -= 1
      show()
      model.off("msg:custom", listen)
      model.off("comm_live_update", gone)
      kernel?.statusChanged?.disconnect(status)
      turn.then(() => view?.close?.())
    }
  },
}
