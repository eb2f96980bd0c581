using System.Numerics.Tensors;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Exact;

/// <summary>
/// Exact optimal transport by the primal network simplex: <c>min ⟨C, P⟩</c> over <c>P ≥ 0, P1 = a, Pᵀ1 = b</c>.
/// </summary>
/// <remarks>
/// Any geometry. Explicit double matrices and listed pairs are read in place, other costs are tabulated up to <see cref="ExactOptions.TableBytes"/> and evaluated row
/// by row beyond. The plan is a <see cref="SparsePlan"/> of at most n + m − 1 entries; potentials satisfy <c>f_i + g_j ≤ C_ij</c> up to rounding
/// (null when a cancelled or timed-out problem has more than 10⁸ pairs). One
/// iteration is one pivot: a look at about √(nm) arcs and an update of one subtree. Sources: Cunningham, Math. Programming 11, 1976 (strongly feasible trees);
/// Kovács, Optim. Methods Softw. 30, 2015 (block search); docs/theory/exact.md.
/// </remarks>
/// <param name="options">Limits, progress and memory; defaults when left out.</param>
public sealed class NetworkSimplex(ExactOptions? options = null) : ISolver<LinearProblem, TransportResult>
{
    // Costs over more decades than this are let in step by step, so that a forbidding 1e32 never meets the digits of the others.
    const double WideRange = 1e6;
    const double FirstCeiling = 1e3;
    const double CeilingGrowth = 1e4;

    readonly ExactOptions _options = ExactOptions.Checked(options);

    /// <summary>Whether this solver takes the problem: no regulariser, both marginals exact.</summary>
    public static bool Supports(LinearProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        return ExactProblem.Takes(problem);
    }

    /// <inheritdoc/>
    public TransportResult Solve(LinearProblem problem, CancellationToken cancellation = default) =>
        Solve(problem, null, cancellation);

    /// <summary>Starts from given potentials, in any gauge and not necessarily feasible. They change the way, never the optimum.</summary>
    /// <exception cref="ArgumentException">The potentials' lengths are not those of the problem.</exception>
    /// <inheritdoc cref="ISolver{TProblem, TResult}.Solve"/>
    public TransportResult Solve(LinearProblem problem, Potentials? start, CancellationToken cancellation = default)
    {
        var exact = ExactProblem.Of(problem, nameof(NetworkSimplex));
        if (start is not null)
        {
            Guard.Length(start.F.Length, exact.Rows, nameof(start));
            Guard.Length(start.G.Length, exact.Columns, nameof(start));
        }
        if (exact.RefuseUnequalMasses() is { } refusal)
            return refusal;

        var watch = new Watch(_options, cancellation);
        var arcs = Arcs.Of(problem.Geometry, _options.TableBytes, watch);
        var first = new SimplexStart(exact, arcs, watch);
        first.MakePotentials(start is null ? [] : start.F);
        // M exceeds any sum of costs along a path of the tree.
        double largest = (2 * first.MaxMagnitude * (exact.Rows + exact.Columns)) + 1;
        bool wide = first.MaxMagnitude > WideRange * first.Level && first.Level > 0;
        double artificial = wide ? FirstCeiling * first.Level : largest;

        SpanningTree tree = first.Build(artificial);
        tree.SetArtificialCost(artificial);
        while (Pivot(exact, arcs, tree, first.MaxMagnitude, watch) && tree.IsMixed && artificial < largest)
        {
            artificial = Math.Min(artificial * CeilingGrowth, largest);
            tree.SetArtificialCost(artificial);
        }
        return Finish(exact, arcs, tree, watch);
    }

    /// <summary>Consecutive pivots without a noticeable gain, per row and column, that are put down to rounding.</summary>
    const int IdlePivotsPerNode = 50;

    /// <summary>Pivots until no arc improves; false when a limit came first.</summary>
    static bool Pivot(ExactProblem problem, Arcs arcs, SpanningTree tree, double largestCost, Watch watch)
    {
        var search = new BlockSearch(problem, arcs, tree);
        // Potentials are sums along the tree: beside very large costs their rounding can make arcs look better than they are, round and round.
        int patience = Math.Max(1000, IdlePivotsPerNode * (problem.Rows + problem.Columns));
        double noticed = ExactProblem.Rounding * problem.Mass * largestCost;
        int idle = 0;
        bool fresh = false;
        while (true)
        {
            Candidate entering = search.Next(watch);
            if (watch.Status != SolverStatus.Converged)
                return false;
            bool none = entering.Column < 0;
            if (none && fresh)
                return true;
            if (none || tree.Contains(entering.Row, entering.Column))
            {
                // Nothing left, or drift made a tree arc look violated: look again with potentials free of it.
                tree.RefreshPotentials();
                fresh = true;
                continue;
            }
            if (watch.Step(0))
                return false;
            double gain = tree.Pivot(entering.Row, entering.Column, entering.Cost) * -entering.Key;
            idle = gain > noticed ? 0 : idle + 1;
            if (idle > patience)
            {
                search.RaiseNoise();
                idle = 0;
            }
            fresh = false;
        }
    }

    static TransportResult Finish(ExactProblem problem, Arcs arcs, SpanningTree tree, Watch watch)
    {
        SolverStatus status = watch.Status;
        tree.RefreshFlows(problem.Supply, problem.Demand);
        List<(int Row, int Column, double Mass)> shipments = [.. tree.Flows()];
        if (status != SolverStatus.Converged)
        {
            Leftovers.Ship(problem, tree, shipments);
            return problem.Answer(
                status,
                watch.Iterations,
                shipments,
                LateBounds(problem, status) ? problem.CleanPotentials(arcs, tree.F) : null,
                "The plan is feasible as far as its marginal error says; it was not yet optimal."
            );
        }
        double unsent = tree.Unsent(targets: true).Sum(top => top.Mass);
        if (unsent > problem.Slack)
        {
            string text = Leftovers.Explain(problem, arcs, tree, shipments, unsent);
            return problem.Answer(SolverStatus.Infeasible, watch.Iterations, shipments, null, text);
        }
        if (unsent > ExactProblem.Rounding * problem.Mass * (problem.Rows + problem.Columns))
            problem.Remark(ExactProblem.Text($"{unsent:G6} of the mass has no allowed way: within the slack of the masses."));
        if (tree.IsMixed)
            Leftovers.JoinPotentials(problem, arcs, tree);
        Potentials? potentials = problem.CleanPotentials(arcs, tree.F);
        return problem.Answer(status, watch.Iterations, shipments, potentials);
    }

    /// <summary>A caller who cancels waits for no more than about 10⁸ costs; the pass that makes potentials feasible is left out beyond.</summary>
    static bool LateBounds(ExactProblem problem, SolverStatus status) =>
        status == SolverStatus.IterationLimit || (long)problem.Rows * problem.Columns <= 100_000_000;

    /// <summary>
    /// Goes round the arcs in blocks of about √(nm) and lists the best of each; the best of the list enters first. What is left of the list is
    /// priced again after every pivot, and the round goes on when nothing is left.
    /// </summary>
    sealed class BlockSearch
    {
        // Longer lists save pivots and cost scans; 16 was the best of 1, 16 and 64 on clouds, random costs and images.
        const int ListLength = 16;

        readonly ExactProblem _problem;
        readonly Arcs _arcs;
        readonly SpanningTree _tree;
        readonly long _total;
        readonly int _block;
        double _noise;
        readonly Candidate[] _list = new Candidate[ListLength];
        int _count;
        int _row;
        int _start;

        public BlockSearch(ExactProblem problem, Arcs arcs, SpanningTree tree)
        {
            (_problem, _arcs, _tree) = (problem, arcs, tree);
            for (int i = 0; i < problem.Rows; i++)
                _total += problem.Supply[i] > 0 ? arcs.Count(i) : 0;
            _block = (int)Math.Max(Math.Sqrt(_total), 64);
        }

        /// <summary>From now on only arcs that improve by more than the rounding of the potentials enter; each time four times as much.</summary>
        public void RaiseNoise() =>
            _noise = Math.Max(4 * _noise, 8 * ExactProblem.Rounding * Math.Abs(TensorPrimitives.MaxMagnitude<double>(_tree.F)));

        /// <summary>The next arc to enter; none when a full round found nothing.</summary>
        public Candidate Next(Watch watch)
        {
            Candidate best = TakeBest();
            if (best.Column >= 0)
                return best;
            for (long seen = 0; seen < _total && _count < _list.Length; )
            {
                int room = (int)Math.Min(_block, _total - seen);
                seen += room;
                if (watch.Stop(room))
                    return Candidate.None;
                Candidate found = SearchBlock(room);
                if (found.Key < -_noise)
                    _list[_count++] = found;
            }
            return TakeBest();
        }

        /// <summary>Prices the list again, drops what no longer improves, and takes out the best.</summary>
        Candidate TakeBest()
        {
            Candidate best = Candidate.None;
            int at = -1,
                kept = 0;
            for (int k = 0; k < _count; k++)
            {
                Candidate arc = _list[k];
                double key = ReducedCosts.Key(arc.Cost, _tree.Prices(arc.Row)[arc.Column], _tree.F[arc.Row], ReducedCosts.Slack);
                if (!(key < -_noise))
                    continue;
                if (key < best.Key)
                    (best, at) = (arc with { Key = key }, kept);
                _list[kept++] = arc;
            }
            _count = kept;
            if (at >= 0)
                _list[at] = _list[--_count];
            return best;
        }

        Candidate SearchBlock(int room)
        {
            Candidate best = Candidate.None;
            while (room > 0)
            {
                int count = _problem.Supply[_row] > 0 ? Math.Min(room, _arcs.Count(_row) - _start) : 0;
                if (count > 0)
                {
                    Candidate arc = _arcs.Best(_row, _start, count, _tree.F[_row], _tree.Prices(_row));
                    if (arc.Key < best.Key)
                        best = arc;
                    room -= count;
                    _start += count;
                }
                if (count == 0 || _start == _arcs.Count(_row))
                {
                    _start = 0;
                    _row = _row + 1 == _problem.Rows ? 0 : _row + 1;
                }
            }
            return best;
        }
    }
}
