"""Every number that a measured value is held against before anything is said: all thresholds, and nothing else.

How a measure is taken (sizes of samples, steps, digits) stands beside the measure. The values come from the labelled
families of `benchmarks/calibration.py`; the table in `docs/method.md` says what each one guards against.
"""

# Proposed by `identify`, and judged by all rules below.
FALSE_DISCOVERIES = 1e-3  # expected share of chance among the entries that are called kin
PROPOSED = 0.1  # of what one entry fewer leaves, that one more must explain
USUAL_SPREADS = 3.0  # median absolute deviations (as standard deviations) above what the entries themselves gain
LARGEST_WEIGHT = 2.5  # that a mixture gives one entry; beyond it two near entries only cancel out
FEWEST_PLACES = 0.2  # of those of the entry that shares most; all are held where all are, F32 has half
NOTHING_LEFT = 1e-6  # times rounding's own sum of squares
TO_ROUNDING = 1.5  # times that sum, to which a mixture explains all; finetunes may have moved by less than rounding
# Drawn by `atlas`.
SAME_NUMBERS = 0.99  # share of equal numbers from which a copy was not rounded
NEAR_MADE = 0.3  # times a mix's distance from its sources; the base of k siblings is at 1 / sqrt(k - 1) times it
# Evidence at all.
MINIMUM_ELEMENTS = 1_000
HALF, NEARLY_ALL = 0.5, 0.9
# Close copies.
PROPORTIONAL = 2.0  # change over size, of small weights as of large ones: noise and scaling give 1, training 5 to 10
ROUNDING_SIZED = 0.01  # of a weight; one step of bf16 is half of it
SCALED_ROUNDED = 1.25  # times rounding alone, that a factor may leave in any tensor; copies that were scaled reach 1.1
SCALED_MOVED = 2.0  # times rounding alone, that the whole is off without a factor
TURNED = 0.5  # of what a change moves rows' products by; rotations at most 0.36, of 2,108 trained pairs none below 0.64
PROJECTED = 0.05  # of the products with what was taken out, that a projection in single precision leaves
SYMMETRIC = 0.05  # of products of rows' changes with rows, not symmetric; of 13,198 trained ones 0.195 at least
NEXT_LAYERS = 0.5  # of what differs, that a parent's next layers explain; of a training they explain nothing
ROW_STAYED = 0.85  # of its length, that a row may move and be turned with the others: rotations 0.78, new tokens 0.98
# Kinship: mean-centred correlation of raw weights.
UNRELATED, KIN = 0.1, 0.5
KIN_BY_SIGNS = (
    0.25  # the same by signs, without which a few numbers of one design own it; trained relatives have it all
)
GIANT = 10.0  # times the median size of a kind's weights in a layer, beyond which a number is cut
SHARED_BITS = 0.02  # share of equal bits beyond chance, of strangers at most 0.002
# Tables that a formula gives.
SINES_REACH = 0.01  # from 1, that the largest number of a table of sines may be; what was learnt reaches what it will
SINES_LEFT = 0.02  # of a column's size, that a sine may leave: bf16 leaves 0.005, smooth curves 0.09 and more
SINES_COLUMNS = 0.99  # of the columns
SINES_TURNING = 0.125  # of the columns, that change sign twice or more; straight lines do so nowhere
# The format that values show.
ON_LATTICE = 0.999  # share of the values that must be numbers of a coarser format; true merges in F32 reach 0.45
LATTICE_ELEMENTS = 50  # of a tensor, below which the whole model's share stands for it
SINGLE, SINGLE_SHARE = 3, 1e-4  # elements of a matrix, or the share, that a copy may not share; training changes more
# What is exact: recipes and rounding cells.
REPRODUCED = 0.9999
COMPLETE = 0.9999  # agreement and betweenness of an exact merge
DISTINCT, DISTINCT_PER_PIECE = 500, 100
MISSED, MISSED_FEW = 0.01, 10  # missed bits that make no exception of a tensor: a share of those that tell, or so few
BLENDED = 0.3  # of what differs, in pieces that are mixtures by themselves; gradients from 0 to 1 leave half or more
MISSED_CELLS, MET = 1.5, 0.85  # cells that a set of parents may miss the suspect by, and in how much, to be fitted
WITHIN_CELLS = 0.95  # of a tensor's elements, to be part of a merge that others are
COVERED = 0.99999  # share of intervals that must hold one alpha before it is called exact to rounding
INFORMATIVE = 500  # informative elements below which an interval carries nothing
MOST_PIECES = 40
TIED = 1e-5  # sampled shares of two recipes closer than this are settled by the sweep
# On the line between the parents.
STRAIGHT = 0.97  # a run whose random part is 12 % of its way reaches this half-way
INTERIOR = 0.95  # a merge leaves no parent more than this weight, unless it is exact
SPREAD = 0.02  # merges that were trained reach 0.003, stages of uneven training start at 0.03
TRACED = 0.8  # of the elements where a program's rounding tells; of really trained innocents half, trained merges more
LAYERS_MEASURED = 3  # before their evenness says anything
PART_ELEMENTS = 200  # sampled, below which a part gets no coefficient of its own
PART_ERROR = 0.1  # standard error above which a part's coefficient says nothing about how it varies
MIDDLE = -0.9  # cosine of the angle at the middle of three checkpoints: -1 is exactly between
INSIDE = 0.05  # share of the way from either end
# Near one parent.
NEAR, BEYOND = 0.9, 1.5
KNOWN = 0.05  # standard error that a weight may have
SECOND = 0.1  # weight of a second parent that is more than a nearby direction
TOWARDS = 0.75  # independent changes move half of the elements that way
MOVED = 500  # elements that tell a direction
ANOTHERS = 0.1  # of the weights, that hold another parent's number beyond those that hold the nearest one's
NO_SHARE = 0.02  # weight of a parent below which no share of it is said to be there
ASTRAY = 0.55  # of what differs from the nearest parent, moved towards another: more is a share of some kind
# Mixed or picked.
TIES, EVEN = 50, 0.99  # elements on a border, and the share of even numbers among them, that rounding leaves
SLIGHT = 0.25  # weight times half a step is at most what lies between a multiple of it and the next border
STRICTLY = 0.8  # of the elements that a mixture would put strictly between the parents
SHORT = 12  # mantissa bits up to which a border is wider than the merging program's own error
ROOM = 1.5  # cells between the outermost parents from which another number lies between them
# Random masks (DARE, DELLA).
MASKED = 0.97  # of the changed elements that tell, explained by some mask; a part of a run at other sizes reaches 0.93
REMADE = 0.99  # of the survivors whose bits tell, come out as a known program rounds them; 0.1 % of own training: 0.82
SURVIVORS = 200  # of a model, fine enough for their bits to tell, without which nothing is claimed
SHUFFLED = 0.2  # what a mask explains after shuffling; changes of few sizes, as of sign steps, reach 0.27 to 0.49
STEADY = 0.9  # share of the tensors in which weight and kept share are those of all, to six standard errors
ENLARGED = 0.003  # that a factor must be away from 1, at which whoever picks elements leaves the parents' numbers
IMPROBABLE = 0.05  # that a change's chance to be kept may come out below 0 or above 1; by size it is beyond by far more
RANKED = 0.04  # half the difference of the kept shares of largest and smallest changes, from which it is DELLA
TAKEN = 0.02  # kept share, and factor, of a model that a mask took something of; a sibling beside an adapter has 0
VOTED = 0.5  # of what chance keeps of both at opposite signs: fewer were voted out
# The line read the other way.
CENTRED = 0.5  # share of the elements that lie nearer the middle of their cells than chance places them
CERTAIN = 5.0  # standard errors that this share must be away from none
CENTRED_ELEMENTS = 200  # far enough from both ends for their place in the cell to be a matter of chance
FAR = 0.99  # cells, but for the digits of a weight, between the suspect and either end that make an element count
SCATTERED = 0.75  # share in the inner half of a cell up to which values fill it; a half is chance
# The same model in other coordinates.
PROFILES = 2  # without which nothing was tested
PROFILE_ROWS = 24  # rows or columns below which a profile says nothing
VARIED = 0.3  # of the spread that independent weights give the sizes: less is a design (weights kept at one norm)
RARE = 1e-3  # chance of a profile that counts as a match where matches are counted
BEYOND_CHANCE = 1e-6  # chance of so many profiles as rare as the least rare of them
# Heads of attention by their singular values, which no coordinates change.
HEADS_CLOSER = 0.5  # of the distance between heads of one model, below which a parent's head is the suspect's
HEADS_ALIKE = 0.25  # of the heads: trained strangers have at most 0.06, descendants 0.7 and more
HEADS_LEAST = 4  # heads
# What no coordinates change, of fingerprints.
OVERLAPS_LEFT = 0.25  # correlation of matrices' overlaps that noise as large as the weights leaves
OVERLAP_ERRORS = 1.645  # standard errors by which strangers' must lie below it
NOISE_RESIDUAL = 3.0  # squared sampling errors by which noise of any size sets two models' overlaps apart
TRAINED_RESIDUAL = 0.08  # of the overlaps' size, that training leaves beside
# Units paired by content: two pairings, from gates and from ups, that agree.
FRAME_CERTAIN = 0.9  # mean cosine of paired embedding columns from which their order needs no basis
FRAME_PERMUTED = 0.5  # mean entry of a basis, in the places of an order, from which it is that order
UNITS_CHANCE = 1e-12  # chance of so many agreeing units in a layer, times the pairs of layers that were tried
UNITS_AGREE = 0.05  # share of the units: layers of one model share a frame, so that chance is not exact
UNITS_OPEN = 0.0125  # share of a few units, at a first look, up to which a layer is none that agrees in UNITS_AGREE
UNITS_TURNED = 1.5  # standard errors by which ups agree in a frame that their gates give, from which it is made better
ALIKE = 0.95  # correlation of a matrix from which nothing in it stands elsewhere
GAIN = 0.01  # of the weights compared, that undoing must bring before it counts
RESCALED = 1.25  # times the median size of a kind's weights in a layer; training leaves it where it was
CLOSER = 0.25  # of the correlation that lacks to 1, that it must bring else; models of one start gain 0.08
# What is left beyond the best mixture.
ABOVE_ROUNDING = 10  # times rounding's own sum of squares, from which its shape can be told
LOW_RANK, LOW_RANK_ENERGY = 0.25, 0.99  # of the smaller side, and of the sum of squares that so many directions hold
LOW_RANK_TENSORS = 0.9  # of the changed matrices; training of all weights reaches none
LOW_RANK_ROWS = 64  # of a matrix, or all it has: of fewer a quarter is a few directions, as a change of a few rows has
LIKE = 0.7  # correlation with a candidate's own part; siblings reach .33
LIKE_OTHERS = 0.5  # of that, what all others may reach
LIKE_NOISE = 0.5  # of what rounding leaves: less beyond it is too little to be like anything
LIKE_TENSORS = 3  # matrices without which a likeness or a rank says nothing of the model
# Numbers of a quantised copy.
STEPS, STEPS_OF_ENDS, STEPS_SHARE = (
    200,
    64,
    0.995,
)  # values of a matrix that tell, fewer where no scale is looked for, and the share that are numbers; by chance 0.2
STEPS_DISTINCT = 6  # different numbers among them
SAME_STEPS = 0.9999  # of a parent's values that are rounded to the suspect's numbers; a copy has all
MIXED_STEPS = 0.99  # the same of a mixture, whose weights are fitted
REPEATED = 2.0  # times chance, that values side by side repeat a significand; of 64 in bf16 22 % do by chance
SIGNIFICANDS_LEAST = 12  # values side by side, below which few significands are chance
SIGNIFICANDS_SPREAD = 1.5  # upper quartile of their sizes over the lower one; weights reach 3, numbers near 1 nothing
QUOTIENT_SHARE = 0.25  # of the rows, in which two columns have the quotient that most have; of weights 0.15
WITHIN_STEPS = 1.0  # root mean square distance from a parent, in steps: rounding by chance 0.41, GPTQ 0.6
BLURRED = 3.0  # standard errors of a quantised parent's share beside a nearer one; siblings reach 1.9
# Fits that say nothing.
LIKELIHOOD_LEAST = 10  # elements
JACKKNIFE_LEAST = 8  # blocks
SINGULAR = 1e10  # condition number above which parents cannot be told apart
