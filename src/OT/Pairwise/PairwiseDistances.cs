using System.Diagnostics;
using OT.Backends;
using OT.Numerics;
using OT.Results;
using OT.Solvers;

namespace OT.Pairwise;

/// <summary>The matrix of distances between many measures: exact, entropic, divergences or sliced, entry by entry what the pair alone would give.</summary>
/// <remarks>
/// <para>
/// K measures take K (K − 1)/2 solves, a divergence K more. Small pairs run side by side, each on one thread; entropic and sliced pairs of a size that keeps all threads busy
/// run one after another, and so does everything on a back end that was asked for. Nothing is carried from pair to pair, so an entry depends neither on the
/// threads nor on what was computed before: a resumed or divided run gives the bits of a straight one.
/// </para>
/// <para>A pair that does not converge, has no plan, or is refused by its solver has its status and leaves the others alone. See docs/theory/pairwise.md.</para>
/// </remarks>
public sealed class PairwiseDistances : ISolver<PairwiseProblem, PairwiseResult>
{
    /// <summary>Costs (sliced: points) of a pair from which all threads work in one pair: enough for blocks of rows that outlast the waking of threads.</summary>
    const long LargePair = 1L << 22;
    const long LargeClouds = 1L << 17;

    readonly PairwiseOptions _options;
    readonly IBackend? _backend;

    /// <summary>Configures the solver.</summary>
    /// <param name="options">Limits, threads, share of the pairs; defaults when left out.</param>
    /// <param name="backend">Where entropic pairs run, one after another; managed, side by side, when left out. Never disposed here. Exact and sliced pairs need none.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public PairwiseDistances(PairwiseOptions? options = null, IBackend? backend = null)
    {
        _options = options ?? new PairwiseOptions();
        _options.Validate();
        _backend = backend;
    }

    /// <inheritdoc/>
    public PairwiseResult Solve(PairwiseProblem problem, CancellationToken cancellation = default) =>
        Solve(problem, [], cancellation);

    /// <summary>Goes on from entries that are known, and computes the others of this part.</summary>
    /// <param name="problem">What is asked.</param>
    /// <param name="known">Entries of the same problem, taken as they are; see <see cref="PairwiseJournal.Entries"/>.</param>
    /// <param name="cancellation">Ends the run: entries computed until then are kept, the others are missing.</param>
    /// <exception cref="BackendException">The back end failed, has no kernels for the costs or not the memory: entries finished before were handed to <see cref="PairwiseOptions.Finished"/>.</exception>
    /// <exception cref="ArgumentException">A known entry lies outside the matrix, ε cannot be resolved, or an exact pair would not fit in memory.</exception>
    public PairwiseResult Solve(
        PairwiseProblem problem,
        IEnumerable<PairwiseEntry> known,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(known);
        using CancellationTokenSource limit = _options.Limit(cancellation);
        using var run = new Run(problem, _options, _backend, limit.Token);
        return run.Solve(known, cancellation);
    }

    /// <summary>One matrix: what is known of it, and the threads that find out more.</summary>
    sealed class Run(PairwiseProblem problem, PairwiseOptions options, IBackend? backend, CancellationToken stop)
        : IBlockWork,
            IDisposable
    {
        readonly long _start = Stopwatch.GetTimestamp();
        readonly Entries _entries = new(problem.Pairs);
        readonly int _threads = options.Threads ?? Environment.ProcessorCount;
        readonly ManagedBackend?[] _own = new ManagedBackend?[options.Threads ?? Environment.ProcessorCount]; // one for each thread
        readonly Lock _finishing = new();
        ManagedBackend? _all;
        int[] _work = [];
        PairSolver? _solver;
        bool _selves;
        int _total;
        int _finished;
        double _worst;

        public void Dispose()
        {
            _all?.Dispose();
            foreach (ManagedBackend? own in _own)
                own?.Dispose();
        }

        public PairwiseResult Solve(IEnumerable<PairwiseEntry> known, CancellationToken cancellation)
        {
            foreach (PairwiseEntry entry in known)
                _entries.Take(entry);
            int[] missing = _entries.Missing(options.Part, options.Parts);
            _total = missing.Length;
            TrySolve(missing);
            SolverStatus status =
                _finished == _total ? _entries.Gravest(options.Part, options.Parts)
                : cancellation.IsCancellationRequested ? SolverStatus.Cancelled
                : SolverStatus.TimeLimit;
            return new PairwiseResult(_entries)
            {
                Status = status,
                Iterations = _finished,
                Epsilon = _solver?.Epsilon ?? double.NaN,
                Backend = backend?.Name ?? "",
                Message = _solver?.Refusal ?? "",
            };
        }

        void TrySolve(int[] missing)
        {
            try
            {
                var rowTerms = new SelfTerm[problem.Rows.Length];
                _solver = new PairSolver(problem, options, backend, stop)
                {
                    RowTerms = rowTerms,
                    ColumnTerms = problem.IsOneList ? rowTerms : new SelfTerm[problem.Columns.Length],
                };
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            if (problem.Quantity is EntropicQuantity { Part: EntropicPart.Divergence })
            {
                _selves = true;
                Share(MeasuresOf(missing));
                _selves = false;
            }
            Share(missing);
        }

        /// <summary>Numbers of the measures that pairs need, rows first, those of a second list behind them.</summary>
        int[] MeasuresOf(int[] pairs)
        {
            var needed = new SortedSet<int>();
            foreach (int pair in pairs)
            {
                (int i, int j) = _entries.Pairs.At(pair);
                needed.Add(i);
                needed.Add(problem.IsOneList ? j : problem.Rows.Length + j);
            }
            return [.. needed];
        }

        /// <summary>Small work side by side, large work one after another on all threads. Exact solvers have one thread.</summary>
        void Share(int[] work)
        {
            bool InTurn(int item) => !IsExact && (backend is not null || work.Length < _threads || IsLarge(item));
            _work = [.. work.Where(item => !InTurn(item))];
            using (var blocks = new RowBlocks(SideBySide()))
                blocks.Run(_work.Length, this);
            foreach (int item in work.Where(InTurn))
                Do(item, _all ??= new ManagedBackend(_threads));
        }

        bool IsExact => problem.Quantity is TransportCostQuantity or WassersteinQuantity;

        /// <summary>As many threads as the tables of exact solves leave room for.</summary>
        int SideBySide()
        {
            if (!IsExact || _work.Length == 0)
                return _threads;
            (int i, int j) = _entries.Pairs.At(_work.MaxBy(Size));
            long bytes = Transport.Choose(_solver!.ExactPair(i, j)).EstimatedBytes;
            long room = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / Math.Max(bytes, 1);
            return (int)Math.Clamp(room, 1, _threads);
        }

        bool IsLarge(int item)
        {
            if (problem.Quantity is not SlicedQuantity)
                return Size(item) >= LargePair;
            (int i, int j) = _entries.Pairs.At(item);
            return problem.Rows[i].Count + (long)problem.Columns[j].Count >= LargeClouds;
        }

        long Size(int item)
        {
            if (_selves)
                return (long)MeasureAt(item).Count * MeasureAt(item).Count;
            (int i, int j) = _entries.Pairs.At(item);
            return (long)problem.Rows[i].Count * problem.Columns[j].Count;
        }

        Measure MeasureAt(int number) =>
            number < problem.Rows.Length ? problem.Rows[number] : problem.Columns[number - problem.Rows.Length];

        void IBlockWork.Run(int block, int worker) => Do(_work[block], _own[worker] ??= new ManagedBackend(1));

        void Do(int item, IBackend own)
        {
            if (stop.IsCancellationRequested)
                return;
            if (_selves)
            {
                int k = item - problem.Rows.Length;
                SelfTerm term = _solver!.Self(item, MeasureAt(item), own);
                if (k < 0)
                    _solver.RowTerms[item] = term;
                else
                    _solver.ColumnTerms[k] = term;
                return;
            }
            (int i, int j) = _entries.Pairs.At(item);
            if (_solver!.Solve(i, j, own) is { } entry)
                Finish(entry);
        }

        void Finish(PairwiseEntry entry)
        {
            lock (_finishing)
            {
                // First to the journal: what it could not keep is not finished.
                options.Finished?.Invoke(entry);
                _entries.Take(entry);
                _finished++;
                _worst = Math.Max(_worst, double.IsNaN(entry.Error) ? 0 : entry.Error);
                options.Progress?.Report(
                    new SolverProgress(_finished, _worst, Stopwatch.GetElapsedTime(_start), _finished / (double)_total)
                );
            }
        }
    }
}
