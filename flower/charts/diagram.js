// Steps a time diagram through its epochs. Used in pages and in notebooks; needs no kernel and evaluates nothing.
// Data is untrusted: it is shown by textContent and by the canvas only.

function flowerSteps(doc, place, keep, changed = () => {}) {
  const models = [...doc._all_models.values()]
  const epochs = models.find(model => model.type === "ColumnDataSource" && model.name === "epochs")
  if (!epochs) return null
  const clock = [...epochs.data.clock], text = [...epochs.data.text]
  const last = clock.length - 1
  const now = models.find(model => model.type === "Span" && model.name === "now")
  const seen = new Set()
  const parts = []
  for (const model of models) {
    if (model.type !== "GlyphRenderer" || model.view.filter?.type !== "BooleanFilter" || seen.has(model.view)) continue
    seen.add(model.view)
    parts.push({filter: model.view.filter, source: model.data_source, fills: model.name === "filling"})
  }
  let at = Math.min(keep?.at ?? epochs.tags[0] ?? last, last)
  if (keep?.follows) at = last
  let timer = null

  const show = n => {
    at = Math.max(0, Math.min(last, n))
    for (const {filter, source, fills} of parts) {
      const {since, until} = source.data
      if (fills) source.data = {...source.data, top: Array.from(since, () => clock[at])}
      filter.booleans = Array.from(since, (from, i) => from <= at && at < until[i])
    }
    if (now) now.location = clock[at]
    slider.value = String(at)
    const said = `epoch ${at + 1} of ${last + 1}, at ${text[at]}`
    label.textContent = said
    slider.setAttribute("aria-valuetext", said)
    back.disabled = first.disabled = at === 0
    forth.disabled = end.disabled = at === last
    changed(at)
  }
  const stop = () => {
    clearInterval(timer)
    timer = null
    play.textContent = "\u25b6 play"
  }
  const start = () => {
    if (at === last) show(0)
    play.textContent = "\u275a\u275a pause"
    // A picture lasts some ten seconds, however many epochs it has.
    const pace = Math.max(60, Math.min(700, 12000 / (last + 1)))
    timer = setInterval(() => { if (at >= last) stop(); else show(at + 1) }, pace)
  }
  const button = (sign, title, act) => {
    const made = document.createElement("button")
    made.type = "button"
    made.textContent = sign
    made.title = title
    made.setAttribute("aria-label", title)
    made.addEventListener("click", event => { event.stopPropagation(); act() })
    made.addEventListener("keydown", event => event.stopPropagation())
    return made
  }
  const first = button("|\u25c0", "first epoch", () => { stop(); show(0) })
  const back = button("\u25c0", "one epoch back", () => { stop(); show(at - 1) })
  const play = button("\u25b6 play", "play the epochs", () => (timer === null ? start() : stop()))
  const forth = button("\u25b6", "one epoch forth", () => { stop(); show(at + 1) })
  const end = button("\u25b6|", "last epoch", () => { stop(); show(last) })
  const slider = document.createElement("input")
  Object.assign(slider, {type: "range", min: "0", max: String(last), step: "1"})
  slider.setAttribute("aria-label", "epoch")
  slider.style.flex = "1 1 160px"
  slider.addEventListener("input", () => { stop(); show(Number(slider.value)) })
  slider.addEventListener("keydown", event => event.stopPropagation())
  const label = document.createElement("span")
  label.style.cssText = "font-variant-numeric: tabular-nums; white-space: nowrap"
  const bar = document.createElement("div")
  bar.className = "flower-steps"
  bar.setAttribute("role", "group")
  bar.setAttribute("aria-label", "epochs of the time diagram")
  bar.style.cssText = "display: flex; gap: 6px; align-items: center; flex-wrap: wrap; padding: 4px 0 8px; font-size: 13px"
  bar.append(first, back, play, forth, end, slider, label)
  place.append(bar)
  show(at)
  return {
    kept: () => ({at, follows: at === last && timer === null}),
    at: () => at,
    close: () => { stop(); bar.remove() },
  }
}

// In a page: once BokehJS has drawn, controls go below its figures.
function flowerPages() {
  const ready = () => {
    const docs = globalThis.Bokeh?.documents ?? []
    if (!docs.length || !docs.every(doc => doc.is_idle)) return requestAnimationFrame(ready)
    for (const doc of docs) flowerSteps(doc, document.body, null)
  }
  ready()
}
