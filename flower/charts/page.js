// A saved page, after front.js: its tables, its theme, and what links its parts.

const said = JSON.parse(document.getElementById("said").textContent)
const links = said.links ? new Links() : null

const style = element("style")
style.textContent = TABLE_STYLE
document.head.append(style)

for (const place of document.querySelectorAll("[data-table]")) {
  table(place, links).draw(said.tables[Number(place.dataset.table)])
}
if (links) links.bar(document.getElementById("bar"))

const night = new Map(Object.entries(said.dark))
const light = new Map([...night].map(([bright, dim]) => [dim, bright]))
const asked = matchMedia("(prefers-color-scheme: dark)")
let isDark = false

function paint() {
  const wanted = said.theme === "dark" || (said.theme === "auto" && asked.matches)
  document.documentElement.classList.toggle("dark", wanted)
  if (wanted === isDark) return
  isDark = wanted
  for (const doc of Bokeh.documents) recolour(doc, wanted ? night : light)
}

// Bokeh says nothing when it has drawn all.
function drawn() {
  const roots = globalThis.Bokeh?.documents?.[0]?.roots() ?? []
  if (document.querySelector("[data-root-id]") && !(roots.length && roots.every(({id}) => Bokeh.index[id]))) {
    requestAnimationFrame(drawn)
    return
  }
  for (const plot of roots) {
    const part = document.querySelector(`[data-root-id="${CSS.escape(plot.id)}"]`).parentElement
    part.setAttribute("role", "figure")
    part.setAttribute("aria-label", plot.name ?? "chart")
    controls(Bokeh, plot, part)
  }
  paint()
  asked.addEventListener("change", paint)
  if (links) for (const plot of roots) linked(Bokeh, plot, links)
}

document.documentElement.classList.toggle("dark", said.theme === "dark" || (said.theme === "auto" && asked.matches))
drawn()
