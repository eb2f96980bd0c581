using System.Diagnostics;
using System.Runtime.InteropServices;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Entropic;

/// <summary>Many entropic problems at once: each on one thread, with exactly the bits that <see cref="Sinkhorn"/> gives for it alone, or side by side on a device.</summary>
/// <remarks>
/// <para>
/// Problems of 4096 pairs and less run in workspaces that each thread keeps, and their answers land in arrays made once for the batch: nothing is allocated per problem
/// (but by ground costs that prepare points, cosine and sphere, and by ε relative to a median or a standard deviation). What that engine declines, and larger
/// problems, are solved as <see cref="Sinkhorn"/> does it; larger ones one after another, on all threads.
/// </para>
/// <para>
/// On a GPU, problems of up to 65 536 pairs are iterated side by side, in doubles, from zero potentials and up to 400 times; a thread of the host each then makes the last iterations and
/// all values, by the rules of the small engine, so an answer meets the tolerance in the same sense. What that declines, what is larger, and every problem on any other
/// back end that is asked for, is solved one after another as <see cref="Sinkhorn"/> does it there.
/// </para>
/// <para>One problem that is infeasible or does not converge has its status and leaves the others alone. See docs/theory/batch.md.</para>
/// </remarks>
public sealed class SinkhornBatch
{
    /// <summary>Problems that a thread takes at a time.</summary>
    const int Grain = 16;

    /// <summary>Pairs of a problem that is iterated in a corner of a device: above, a device is filled by one.</summary>
    const long MostDevicePairs = 1 << 16;

    readonly SinkhornOptions _options;
    readonly int _threads;
    readonly IBackend? _backend;

    /// <summary>Configures the solver.</summary>
    /// <param name="options">Those of every problem; the time limit is that of the whole batch. Progress and checkpoints are refused.</param>
    /// <param name="threads">Threads at most, the caller's included; all processors by default. Changes no bit.</param>
    /// <param name="backend">Where the O(nm) work runs; the threads of the host when left out. Never disposed here.</param>
    /// <exception cref="ArgumentException">An option is out of range, or belongs to a single solve.</exception>
    public SinkhornBatch(SinkhornOptions? options = null, int? threads = null, IBackend? backend = null)
    {
        _backend = backend;
        _options = options ?? new SinkhornOptions();
        _options.Validate();
        if (_options.Progress is not null || _options.Checkpoint is not null)
            throw new ArgumentException("Progress and Checkpoint belong to one solve: a batch takes neither.", nameof(options));
        if (threads is { } count)
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count, nameof(threads));
        _threads = threads ?? Environment.ProcessorCount;
    }

    /// <summary>Solves all problems.</summary>
    /// <param name="batch">The problems.</param>
    /// <param name="cancellation">Ends the batch: problems not begun report <see cref="SolverStatus.Cancelled"/> and the potentials of one half-iteration.</param>
    /// <exception cref="ArgumentException">An argument that <see cref="Sinkhorn"/> refuses, before any problem is solved; the message names the problem.</exception>
    /// <exception cref="NotSupportedException">The regulariser is not entropic.</exception>
    /// <exception cref="BackendException">The back end failed or has not the memory for a problem.</exception>
    public SinkhornBatchResult Solve(ProblemBatch batch, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(batch);
        if (batch.Regularizer is not EntropyRegularizer)
            throw new NotSupportedException(
                "SinkhornBatch needs an entropic regulariser: set ProblemBatch.Regularizer to Regularizer.Entropy(...)."
            );
        using var run = new Run(batch, _options, _threads, _backend, cancellation);
        return run.Solve();
    }

    /// <summary>One batch: what all its problems share, and what each thread keeps.</summary>
    sealed class Run : IBlockWork, IDisposable
    {
        readonly ProblemBatch _batch;
        readonly SinkhornOptions _options;
        readonly IBackend? _backend;
        readonly IBatchBackend? _device;
        readonly bool _honoured;
        readonly CancellationToken _cancellation;
        readonly CancellationTokenSource _limit;
        readonly long _start = Stopwatch.GetTimestamp();
        readonly RowBlocks _blocks;
        readonly Worker[] _workers;
        readonly SinkhornBatchResult _result;
        readonly double[] _bounds;
        readonly bool[] _answered;
        readonly double[]? _sharedCosts;
        readonly double _sharedEpsilon;
        readonly Lock _failing = new();
        int _failed = int.MaxValue;
        ArgumentException? _failure;
        bool _measuring;

        public Run(ProblemBatch batch, SinkhornOptions options, int threads, IBackend? backend, CancellationToken cancellation)
        {
            (_batch, _options, _backend, _cancellation) = (batch, options, backend, cancellation);
            _honoured = SmallSinkhorn.Honours(options);
            _device = _honoured && backend is IBatchBackend { IteratesBatches: true } able ? able : null;
            _limit = options.Limit(cancellation);
            _blocks = new RowBlocks(threads);
            _workers = new Worker[threads];
            for (int w = 0; w < threads; w++)
                _workers[w] = new Worker();
            _result = new SinkhornBatchResult(batch);
            _bounds = new double[batch.Count];
            _answered = new bool[batch.Count];
            if (batch.Shared is not { } shared)
                return;
            _sharedEpsilon = Epsilon.Resolve(shared, CancellationToken.None);
            if (IsSmall(shared.Rows, shared.Columns))
                _sharedCosts = Flat(shared);
        }

        Epsilon Epsilon => ((EntropyRegularizer)_batch.Regularizer).Epsilon;

        public void Dispose()
        {
            _blocks.Dispose();
            _limit.Dispose();
            foreach (Worker worker in _workers)
                worker.Dispose();
        }

        public SinkhornBatchResult Solve()
        {
            int blocks = (_batch.Count + Grain - 1) / Grain;
            _measuring = true;
            _blocks.Run(blocks, this);
            if (_failure is not null)
                throw _failure;
            _measuring = false;
            if (_device is not null)
                IterateOnDevice(_device);
            _blocks.Run(blocks, this);
            SolveOthers();
            return _result;
        }

        void IBlockWork.Run(int block, int worker)
        {
            int end = Math.Min(_batch.Count, (block + 1) * Grain);
            for (int k = block * Grain; k < end; k++)
            {
                if (_measuring)
                    MeasureOrNote(k, _workers[worker]);
                else if (IsSmall(_batch.Rows(k), _batch.Columns(k)))
                    SolveSmall(k, _workers[worker]);
            }
        }

        bool IsSmall(int n, int m) => (long)n * m <= (_device is null ? SmallSinkhorn.MaxPairs : MostDevicePairs);

        /// <summary>ε and bound of a problem; what is wrong with it is kept, of several the first, whichever thread finds it.</summary>
        void MeasureOrNote(int problem, Worker worker)
        {
            try
            {
                Measure(problem, worker);
            }
            catch (ArgumentException refused)
            {
                lock (_failing)
                {
                    if (problem < _failed)
                        (_failed, _failure) = (
                            problem,
                            new ArgumentException(ProblemBatch.Named(problem, refused.Message), refused)
                        );
                }
            }
        }

        void Measure(int problem, Worker worker)
        {
            Sinkhorn.CheckMass(Summation.Sum(_batch.WeightsA(problem)), "source");
            Sinkhorn.CheckMass(Summation.Sum(_batch.WeightsB(problem)), "target");
            if (!IsSmall(_batch.Rows(problem), _batch.Columns(problem)))
                return; // looked at when its turn comes: that may take long, and the time limit watches it
            if (_batch.Shared is { } shared)
            {
                (_bounds[problem], _result.Epsilon[problem]) = (shared.MagnitudeBound, _sharedEpsilon);
            }
            else
            {
                Epsilon epsilon = Epsilon;
                bool wantsMean = epsilon.Scale == EpsilonScale.Mean;
                (_bounds[problem], double mean) = _batch.Statistics(problem, Costs(problem, worker), wantsMean);
                _result.Epsilon[problem] = epsilon.Scale switch
                {
                    EpsilonScale.Absolute => epsilon.Resolve(1.0),
                    EpsilonScale.Mean => epsilon.Resolve(mean),
                    _ => epsilon.Resolve(_batch.GeometryOf(problem)),
                };
            }
            Sinkhorn.CheckResolution(_bounds[problem], _result.Epsilon[problem], _options.Precision);
        }

        /// <summary>Brings the potentials of problems that the small engine will take near their end.</summary>
        void IterateOnDevice(IBatchBackend device)
        {
            var targets = new double[_batch.Count];
            var problems = new List<int>();
            for (int k = 0; k < targets.Length; k++)
            {
                if (IsSmall(_batch.Rows(k), _batch.Columns(k)))
                    targets[k] = SmallSinkhorn.TargetOf(SmallOf(k, []), _options.Tolerance);
                if (targets[k] > 0)
                    problems.Add(k);
            }
            // One iteration is left to the host, which has to see the error for itself.
            int count = Math.Min(_options.MaxIterations - 1, SmallSinkhorn.Patience);
            if (count <= 0 || problems.Count == 0)
                return;
            device.Iterate(
                _batch,
                CollectionsMarshal.AsSpan(problems),
                _result.Epsilon,
                targets,
                count,
                _result.F,
                _result.G,
                _result.Iteration,
                _limit.Token
            );
            _result.Backend = $"{_backend!.Name}, many problems side by side, values by {SmallSinkhorn.Description}";
        }

        SmallProblem SmallOf(int problem, ReadOnlySpan<double> costs) =>
            new()
            {
                Costs = costs,
                A = _batch.WeightsA(problem),
                B = _batch.WeightsB(problem),
                MassA = Summation.Sum(_batch.WeightsA(problem)),
                MassB = Summation.Sum(_batch.WeightsB(problem)),
                MassSlack = OT.Measure.DoubleSlack,
                Epsilon = _result.Epsilon[problem],
                Bound = _bounds[problem],
                PenaltyA = _batch.PenaltyA,
                PenaltyB = _batch.PenaltyB,
            };

        void SolveSmall(int problem, Worker worker)
        {
            if (_backend is not null && _device is null)
                return;
            SmallProblem small = SmallOf(problem, Costs(problem, worker));
            Span<double> f = _result.F.AsSpan(_batch.OffsetsA[problem], small.A.Length),
                g = _result.G.AsSpan(_batch.OffsetsB[problem], small.B.Length);
            int made = _result.Iteration[problem];
            bool stopped = _limit.IsCancellationRequested;
            SmallAnswer answer = default;
            bool answered = stopped
                ? worker.Small.Start(small, f, g, made, out answer)
                : _honoured && worker.Small.Solve(small, _options, f, g, made, out answer);
            if (!answered)
            {
                f.Clear();
                g.Clear();
                if (_backend is null)
                    Take(problem, Whole(problem, worker.Backend));
                return;
            }
            _answered[problem] = true;
            _result.Status[problem] =
                !stopped ? SolverStatus.Converged
                : _cancellation.IsCancellationRequested ? SolverStatus.Cancelled
                : SolverStatus.TimeLimit;
            _result.Take(problem, answer);
        }

        void Take(int problem, TransportResult whole)
        {
            _answered[problem] = true;
            _result.Take(problem, whole);
        }

        /// <summary>What has no answer yet, one after another: problems above the limit of the small engine, and what it declined where a back end was asked for.</summary>
        void SolveOthers()
        {
            ManagedBackend? own = null;
            try
            {
                for (int k = 0; k < _batch.Count; k++)
                {
                    if (!_answered[k])
                        Take(k, Whole(k, _backend ?? (own ??= new ManagedBackend(_workers.Length))));
                }
            }
            finally
            {
                own?.Dispose();
            }
        }

        /// <summary>An answer of the large engine, in what is left of the time.</summary>
        TransportResult Whole(int problem, IBackend backend)
        {
            TimeSpan left = _options.TimeLimit;
            if (left != Timeout.InfiniteTimeSpan)
            {
                left -= Stopwatch.GetElapsedTime(_start);
                left = left < TimeSpan.Zero || _limit.IsCancellationRequested ? TimeSpan.Zero : left;
            }
            try
            {
                return new Sinkhorn(_options with { TimeLimit = left }, backend).Solve(_batch[problem], _cancellation);
            }
            catch (ArgumentException refused)
            {
                throw new ArgumentException(ProblemBatch.Named(problem, refused.Message), refused);
            }
        }

        ReadOnlySpan<double> Costs(int problem, Worker worker) =>
            _sharedCosts ?? _batch.Costs(problem, worker.Scratch(_batch.CostScratch(problem)));

        static double[] Flat(Geometry geometry)
        {
            var costs = new double[geometry.Rows * geometry.Columns];
            for (int i = 0; i < geometry.Rows; i++)
                geometry.CostRow(i, costs.AsSpan(i * geometry.Columns, geometry.Columns));
            return costs;
        }
    }

    /// <summary>What one thread keeps from problem to problem.</summary>
    sealed class Worker : IDisposable
    {
        double[] _scratch = [];
        ManagedBackend? _backend;

        public SmallSinkhorn Small { get; } = new();

        /// <summary>For what the small engine declines.</summary>
        public ManagedBackend Backend => _backend ??= new ManagedBackend(1);

        public Span<double> Scratch(int length)
        {
            if (length > _scratch.Length)
                _scratch = new double[Math.Max(length, 2 * _scratch.Length)];
            return _scratch.AsSpan(0, length);
        }

        public void Dispose() => _backend?.Dispose();
    }
}
