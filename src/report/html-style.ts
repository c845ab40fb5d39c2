/** The report's only style sheet: system fonts, light and dark, from 320 px to paper. */
export const style: string = `
:root{color-scheme:light dark;--bg:#fbfbfa;--card:#fff;--ink:#1b1f24;--dim:#626b76;--line:#e3e5e8;--old:#8a6d3b;--new:#0b7a75;
--good:#1a7f37;--bad:#c22f2f;--busy:#0b63c5;--wait:#9a6200;--share:#0b7a7518;--warn:#fff4e0}
@media (prefers-color-scheme:dark){:root{--bg:#101316;--card:#171b1f;--ink:#e7eaee;--dim:#98a2ae;--line:#2a3036;--old:#d3a95f;--new:#3fc9bf;
--good:#4cc26b;--bad:#ff7b72;--busy:#6cb1ff;--wait:#e3b04b;--share:#3fc9bf1f;--warn:#2b2415}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
main{max-width:62rem;margin:0 auto;padding:1.25rem 1rem 4rem}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .25rem}
h2{font-size:1.1rem;margin:2.25rem 0 .6rem}
h3{font-size:1rem;margin:1.2rem 0 .4rem}
p{margin:.4rem 0}
a{color:inherit}
code{font:.88em/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
pre{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.7rem;overflow-x:auto;margin:.4rem 0}
.dim{color:var(--dim)}
.good{color:var(--good)}.bad{color:var(--bad)}.busy{color:var(--busy)}.wait{color:var(--wait)}.quiet{color:var(--dim)}
.state{display:inline-block;border:1px solid currentColor;border-radius:1rem;padding:.05rem .7rem;font-weight:600;white-space:nowrap}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.6rem;margin:1rem 0}
.tile,.card{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.7rem .85rem}
.tile b{display:block;font-size:1.25rem;line-height:1.3}
.card+.card{margin-top:.6rem}
.warn{background:var(--warn);border-color:var(--wait)}
.phase>summary{display:grid;grid-template-columns:1.4rem minmax(6rem,10rem) 4.5rem 1fr;gap:.5rem;align-items:baseline;cursor:pointer;list-style:none}
.phase>summary::-webkit-details-marker{display:none}
.phase>summary b::after{content:" ▸";color:var(--dim);font-weight:400}
.phase[open]>summary b::after{content:" ▾"}
.when{display:block;width:100%;height:5px;margin-top:.55rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.93rem}
th,td{text-align:left;padding:.35rem .7rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--dim);font-weight:500;white-space:nowrap}
td,th{overflow-wrap:break-word}
td code{overflow-wrap:anywhere}td:has(>code:only-child):not(.short){min-width:14rem}
.short{white-space:nowrap}
.charts figure{margin:.9rem 0 0}
.charts svg{display:block;width:100%;height:7rem;background:var(--card);border:1px solid var(--line);border-radius:.4rem}
.charts path{fill:none;stroke-width:1.8;vector-effect:non-scaling-stroke;stroke-linejoin:round}
.charts path.share{fill:var(--share);stroke:none}
path.old{stroke:var(--old)}path.new{stroke:var(--new)}
rect.old{fill:var(--old)}rect.new{fill:var(--new)}rect.track{fill:var(--line)}
rect.good{fill:var(--good)}rect.bad{fill:var(--bad)}rect.busy{fill:var(--busy)}rect.wait{fill:var(--wait)}rect.quiet{fill:var(--dim)}
.axis,.legend{display:flex;justify-content:space-between;color:var(--dim);font-size:.85rem;margin-top:.25rem}
.legend{justify-content:flex-start;gap:1.2rem}
.legend i{display:inline-block;width:.8rem;height:.8rem;border-radius:.2rem;margin-right:.35rem;vertical-align:-.08rem}
.bars{display:grid;gap:.5rem;margin:.8rem 0}
.pair{display:grid;grid-template-columns:2.5rem 1fr;align-items:center}
.bar{display:grid;grid-template-columns:2.2rem 1fr 4.5rem;gap:.5rem;align-items:center;font-size:.9rem}
.bar.wide{grid-template-columns:1fr auto;margin:.3rem 0 .8rem}
.bar svg{display:block;width:100%;height:.6rem}
footer{margin-top:3rem;color:var(--dim);font-size:.88rem}
@media (max-width:34rem){.phase>summary{grid-template-columns:1.2rem 1fr auto}.phase>summary>span:last-child{grid-column:2/-1}
.stacked :is(table,tbody,tr,td){display:block}.stacked .head,.stacked td:empty{display:none}
.stacked tr{padding:.4rem 0;border-bottom:1px solid var(--line)}.stacked td{position:relative;border:0;padding:.1rem 0 .1rem 7.6rem;overflow-wrap:anywhere}
.stacked td::before{content:attr(data-head);position:absolute;left:0;width:7.2rem;color:var(--dim)}h1{font-size:1.3rem}main{padding:1rem .8rem 3rem}}
@media print{body{background:#fff}.card,.tile{break-inside:avoid}}
`;
